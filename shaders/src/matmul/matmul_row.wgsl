// C = epilogue(alpha · op(A) op(B)), one lane 4 columns of one row: for products of few rows, where reading B is the work
// uses: matmul, elem, gelu, epilogue
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu
// rows, offsets and distances of b are multiples of 4; k too where TB = 1; chunk too

override WG: u32 = 64u;
override TA: u32 = 0u;
override TB: u32 = 0u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<Elem4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn matmul_row(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let fours = (params.n + 3u) / 4u;
  let i = id.y * groups.x * WG + id.x;
  let z = i / (fours * params.m);
  let split = z / params.batch;
  if (split * params.chunk >= params.k) {
    return;
  }
  let outer = (z % params.batch) / params.inner_count;
  let inner = (z % params.batch) % params.inner_count;
  let row = (i / fours) % params.m;
  let col0 = (i % fours) * 4u;
  let a_base = params.a_offset + outer * params.a_outer + inner * params.a_inner + row * select(params.a_row, 1u, TA == 1u);
  let a_step = select(1u, params.a_row, TA == 1u);
  let b_base = (params.b_offset + outer * params.b_outer + inner * params.b_inner) / 4u;
  let b_row = params.b_row / 4u;
  let b_cols = b_base + min(vec4u(col0, col0 + 1u, col0 + 2u, col0 + 3u), vec4u(params.n - 1u)) * b_row;

  var sum = vec4f();
  let end = min(params.k, (split + 1u) * params.chunk);
  if (TB == 1u) {
    for (var t = split * params.chunk; t < end; t += 4u) {
      let at = a_base + t * a_step;
      let s = vec4f(a[at], a[at + a_step], a[at + 2u * a_step], a[at + 3u * a_step]);
      sum += vec4f(
        dot(s, widen4(b[b_cols.x + t / 4u])),
        dot(s, widen4(b[b_cols.y + t / 4u])),
        dot(s, widen4(b[b_cols.z + t / 4u])),
        dot(s, widen4(b[b_cols.w + t / 4u])),
      );
    }
  } else {
    for (var t = split * params.chunk; t < end; t++) {
      sum += a[a_base + t * a_step] * widen4(b[b_base + t * b_row + col0 / 4u]);
    }
  }
  for (var j = 0u; j < min(4u, params.n - col0); j++) {
    store_c(c_index(outer, inner, split, row, col0 + j), inner, col0 + j, sum[j]);
  }
}
