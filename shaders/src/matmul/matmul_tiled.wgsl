// C = epilogue(alpha · op(A) op(B)), a 64 × 64 tile by 16 × 16 lanes, 16 terms of both operands at a time in workgroup memory
// uses: matmul, elem, gelu, epilogue, out
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu

override TA: u32 = 0u;
override TB: u32 = 0u;

const TILE_M = 64u;
const TILE_N = 64u;
const TILE_K = 16u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<Elem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// [TILE_K, TILE_M] and [TILE_K, TILE_N] in vec4 along m and n: a lane reads 4 rows and 4 columns of a term at once
var<workgroup> a_tile: array<vec4f, 256>;
var<workgroup> b_tile: array<vec4f, 256>;

@compute @workgroup_size(16, 16)
fn matmul_tiled(
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
  let row0 = ((group / tiles_n) % tiles_m) * TILE_M;
  let col0 = (group % tiles_n) * TILE_N;
  let a_base = params.a_offset + outer * params.a_outer + inner * params.a_inner;
  let b_base = params.b_offset + outer * params.b_outer + inner * params.b_inner;
  let index = lane.y * 16u + lane.x;
  // Each lane fetches one vec4 of each tile. Neighbouring lanes fetch neighbouring addresses: along the rows of the
  // tile where that is the stored direction, else along the terms.
  let a_term = select(index % 16u, index / 16u, TA == 1u);
  let a_four = select(index / 16u, index % 16u, TA == 1u);
  let b_term = select(index / 16u, index % 16u, TB == 1u);
  let b_four = select(index % 16u, index / 16u, TB == 1u);

  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  let end = min(params.k, (split + 1u) * params.chunk);
  for (var t = split * params.chunk; t < end; t += TILE_K) {
    var a_value = vec4f();
    var b_value = vec4f();
    for (var i = 0u; i < 4u; i++) {
      let row = row0 + 4u * a_four + i;
      if (row < params.m && t + a_term < end) {
        a_value[i] = a[a_base + select(row * params.a_row + t + a_term, (t + a_term) * params.a_row + row, TA == 1u)];
      }
      let col = col0 + 4u * b_four + i;
      if (col < params.n && t + b_term < end) {
        let at = b_base + select((t + b_term) * params.b_row + col, col * params.b_row + t + b_term, TB == 1u);
        b_value[i] = elem_value(b[elem_index(at)], at);
      }
    }
    a_tile[a_term * 16u + a_four] = a_value;
    b_tile[b_term * 16u + b_four] = b_value;
    workgroupBarrier();
    for (var i = 0u; i < TILE_K; i++) {
      let s = a_tile[i * 16u + lane.y];
      let d = b_tile[i * 16u + lane.x];
      sum0 += s.x * d;
      sum1 += s.y * d;
      sum2 += s.z * d;
      sum3 += s.w * d;
    }
    workgroupBarrier();
  }

  var sums = array<vec4f, 4>(sum0, sum1, sum2, sum3);
  let row = row0 + 4u * lane.y;
  let col = col0 + 4u * lane.x;
  let at = c_index(outer, inner, split, row, col);
  for (var r = 0u; r < min(4u, max(row, params.m) - row); r++) {
    store_four(at + r * params.c_row, inner, col, max(col, params.n) - col, sums[r]);
  }
}
