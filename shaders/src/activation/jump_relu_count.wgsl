// y[n] = #{ f : h[n, f] > θ[f] }, NaN where an h of the row is   (the L0 of JumpReLU, arXiv 2407.14435)
// uses: reduce, nan
// h [rows, features]
// threshold [features], θ
// y [rows]
struct Params {
  rows: u32,
  features: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> h: array<f32>;
@group(0) @binding(1) var<storage, read> threshold: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn jump_relu_count(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  var count = 0.0;
  var lost = 0.0;
  for (var f = lane; f < params.features; f += WG) {
    let value = h[row * params.features + f];
    count += select(0.0, 1.0, value > threshold[f]);
    lost = select(lost, 1.0, is_nan(value));
  }
  count = workgroup_sum(count, lane);
  lost = workgroup_sum(lost, lane);
  if (lane == 0u) {
    y[row] = nan_where(lost > 0.0, count);
  }
}
