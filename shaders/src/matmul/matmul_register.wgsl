// C = epilogue(alpha · op(A) op(B)), one lane a 4 × 4 block in registers, 8 × 8 lanes a workgroup
// uses: matmul, elem, gelu, epilogue, out
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu
// rows, offsets and distances are multiples of 4; k too where TB = 1; chunk too

override TA: u32 = 0u;
override TB: u32 = 0u;

const TILE_M = 32u;
const TILE_N = 32u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<Elem4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn matmul_register(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
) {
  let group = wg.y * groups.x + wg.x;
  let tiles_n = (params.n + TILE_N - 1u) / TILE_N;
  let tiles_m = (params.m + TILE_M - 1u) / TILE_M;
  let z = group / (tiles_n * tiles_m);
  let split = z / params.batch;
  if (split * params.chunk >= params.k) {
    return;
  }
  let outer = (z % params.batch) / params.inner_count;
  let inner = (z % params.batch) % params.inner_count;
  // Neighbouring workgroups share columns: they walk the rows of B, which may lie a page apart, while those are in the cache.
  let row0 = (group % tiles_m) * TILE_M + 4u * lane.y;
  let col0 = ((group / tiles_m) % tiles_n) * TILE_N + 4u * lane.x;
  if (row0 >= params.m || col0 >= params.n) {
    return;
  }

  // Everything below counts in vec4.
  let a_base = (params.a_offset + outer * params.a_outer + inner * params.a_inner) / 4u;
  let b_base = (params.b_offset + outer * params.b_outer + inner * params.b_inner) / 4u;
  let a_row = params.a_row / 4u;
  let b_row = params.b_row / 4u;
  let last_k = params.k - 1u;
  let a_rows = a_base + min(vec4u(row0, row0 + 1u, row0 + 2u, row0 + 3u), vec4u(params.m - 1u)) * a_row;
  let b_cols = b_base + min(vec4u(col0, col0 + 1u, col0 + 2u, col0 + 3u), vec4u(params.n - 1u)) * b_row;

  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  let end = min(params.k, (split + 1u) * params.chunk);
  for (var t = split * params.chunk; t < end; t += 4u) {
    let terms = vec4u(t, t + 1u, t + 2u, t + 3u);
    let inside = terms < vec4u(params.k);
    let rows = min(terms, vec4u(last_k));
    var b0: vec4f;
    var b1: vec4f;
    var b2: vec4f;
    var b3: vec4f;
    if (TB == 1u) {
      let c0 = widen4(b[b_cols.x + t / 4u]);
      let c1 = widen4(b[b_cols.y + t / 4u]);
      let c2 = widen4(b[b_cols.z + t / 4u]);
      let c3 = widen4(b[b_cols.w + t / 4u]);
      b0 = vec4f(c0.x, c1.x, c2.x, c3.x);
      b1 = vec4f(c0.y, c1.y, c2.y, c3.y);
      b2 = vec4f(c0.z, c1.z, c2.z, c3.z);
      b3 = vec4f(c0.w, c1.w, c2.w, c3.w);
    } else {
      let at = b_base + col0 / 4u;
      b0 = widen4(b[at + rows.x * b_row]);
      b1 = widen4(b[at + rows.y * b_row]);
      b2 = widen4(b[at + rows.z * b_row]);
      b3 = widen4(b[at + rows.w * b_row]);
    }
    if (TA == 1u) {
      let at = a_base + row0 / 4u;
      let s0 = select(vec4f(), a[at + rows.x * a_row], inside.x);
      let s1 = select(vec4f(), a[at + rows.y * a_row], inside.y);
      let s2 = select(vec4f(), a[at + rows.z * a_row], inside.z);
      let s3 = select(vec4f(), a[at + rows.w * a_row], inside.w);
      sum0 += s0.x * b0 + s1.x * b1 + s2.x * b2 + s3.x * b3;
      sum1 += s0.y * b0 + s1.y * b1 + s2.y * b2 + s3.y * b3;
      sum2 += s0.z * b0 + s1.z * b1 + s2.z * b2 + s3.z * b3;
      sum3 += s0.w * b0 + s1.w * b1 + s2.w * b2 + s3.w * b3;
    } else {
      let s0 = select(vec4f(), a[a_rows.x + t / 4u], inside);
      let s1 = select(vec4f(), a[a_rows.y + t / 4u], inside);
      let s2 = select(vec4f(), a[a_rows.z + t / 4u], inside);
      let s3 = select(vec4f(), a[a_rows.w + t / 4u], inside);
      sum0 += s0.x * b0 + s0.y * b1 + s0.z * b2 + s0.w * b3;
      sum1 += s1.x * b0 + s1.y * b1 + s1.z * b2 + s1.w * b3;
      sum2 += s2.x * b0 + s2.y * b1 + s2.z * b2 + s2.w * b3;
      sum3 += s3.x * b0 + s3.y * b1 + s3.z * b2 + s3.w * b3;
    }
  }

  var sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  let at = c_index(outer, inner, split, row0, col0);
  for (var r = 0u; r < min(4u, params.m - row0); r++) {
    store_four(at + r * params.c_row, inner, col0, params.n - col0, sums[r]);
  }
}
