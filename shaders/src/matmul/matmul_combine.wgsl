// C = epilogue(alpha · Σ_s partial[s]): second pass of split-K, terms in the order of s, one lane per element
// uses: gelu, epilogue, out
// partial [splits, batch, m, n] contiguous
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n] strided
// pre laid out as c: the sum before gelu, written only with gelu
struct Params {
  m: u32,
  n: u32,
  batch: u32,
  inner_count: u32,
  splits: u32,
  c_offset: u32,
  c_outer: u32,
  c_inner: u32,
  c_row: u32,
  c_split: u32,
  bias_offset: u32,
  bias_inner: u32,
  alpha: f32,
  // bit 0 bias, 1 residual, 2 accumulate
  flags: u32,
  // 0 none, 1 tanh, 2 erf
  gelu: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read> bias: array<f32>;
@group(0) @binding(2) var<storage, read> residual: array<f32>;
@group(0) @binding(3) var<storage, read_write> c: array<f32>;
@group(0) @binding(4) var<storage, read_write> pre: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn matmul_combine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let count = params.batch * params.m * params.n;
  if (i >= count) {
    return;
  }
  let col = i % params.n;
  let row = (i / params.n) % params.m;
  let z = i / (params.n * params.m);
  let outer = z / params.inner_count;
  let inner = z % params.inner_count;
  var sum = 0.0;
  for (var s = 0u; s < params.splits; s++) {
    sum += partial[s * count + i];
  }
  store_c(c_index(outer, inner, 0u, row, col), inner, col, sum);
}
