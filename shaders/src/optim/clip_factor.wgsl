// norm = √(Σ_j partials[start + r · count + j]), factor = min(1, limit / (norm + 10⁻⁶)), r < rows; limit ≤ 0 means no clipping: factor = 1
// uses: reduce
// partials [start + rows · count or more], sums of squared gradients
// factors [index + rows or more]
// norms [index + rows or more]
struct Params {
  rows: u32,
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
fn clip_factor(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  var total = 0.0;
  for (var j = lane; j < params.count; j += WG) {
    total += partials[params.start + row * params.count + j];
  }
  total = workgroup_sum(total, lane);
  if (lane == 0u) {
    let norm = sqrt(total);
    norms[params.index + row] = norm;
    factors[params.index + row] = select(1.0, min(1.0, params.limit / (norm + 1e-6)), params.limit > 0.0);
  }
}
