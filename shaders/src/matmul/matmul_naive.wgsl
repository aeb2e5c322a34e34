// C = epilogue(alpha · op(A) op(B)), one lane per element of C: the readable one, and the oracle of the others
// uses: matmul, elem, gelu, epilogue, out
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu

override WG: u32 = 64u;
override TA: u32 = 0u;
override TB: u32 = 0u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<Elem>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn matmul_naive(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let splits = (params.k + params.chunk - 1u) / params.chunk;
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.batch * splits * params.m * params.n) {
    return;
  }
  let col = i % params.n;
  let row = (i / params.n) % params.m;
  let z = i / (params.n * params.m);
  let split = z / params.batch;
  let outer = (z % params.batch) / params.inner_count;
  let inner = (z % params.batch) % params.inner_count;
  let a_base = params.a_offset + outer * params.a_outer + inner * params.a_inner;
  let b_base = params.b_offset + outer * params.b_outer + inner * params.b_inner;

  var sum = 0.0;
  let end = min(params.k, (split + 1u) * params.chunk);
  for (var t = split * params.chunk; t < end; t++) {
    let a_at = a_base + select(row * params.a_row + t, t * params.a_row + row, TA == 1u);
    let b_at = b_base + select(t * params.b_row + col, col * params.b_row + t, TB == 1u);
    sum += a[a_at] * elem_value(b[elem_index(b_at)], b_at);
  }
  store_c(c_index(outer, inner, split, row, col), inner, col, sum);
}
