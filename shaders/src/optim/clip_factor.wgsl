// norm = √(Σ_j partials[start + j]), factor = min(1, limit / (norm + 10⁻⁶)); limit ≤ 0 means no clipping: factor = 1
// uses: reduce
// partials [start + count or more], sums of squared gradients
// factors [index + 1 or more]
// norms [index + 1 or more]
struct Params {
  start: u32,
  count: u32,
  index: u32,
  limit: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> partials: array<f32>;
@group(0) @binding(1) var<storage, read_write> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> norms: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn clip_factor(@builtin(local_invocation_index) lane: u32) {
  var total = 0.0;
  for (var j = lane; j < params.count; j += WG) {
    total += partials[params.start + j];
  }
  total = workgroup_sum(total, lane);
  if (lane == 0u) {
    let norm = sqrt(total);
    norms[params.index] = norm;
    factors[params.index] = select(1.0, min(1.0, params.limit / (norm + 1e-6)), params.limit > 0.0);
  }
}
