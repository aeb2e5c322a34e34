// y[n, v] = alpha · factor[n] · exp(x[n, v] − lse[n]): the gradient of log Σ exp, alpha = 1, and of gathered probabilities, alpha = −1
// uses: nan, row_run
// x [N, V]
// lse [N]
// factor [N]
// y [N, V]
struct Params {
  rows: u32,
  width: u32,
  // numbers of a row that a workgroup takes
  run: u32,
  alpha: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> factor: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn probabilities_scaled(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = row_run(group, groups);
  if (at.row >= params.rows) {
    return;
  }
  let base = lse[at.row];
  let scale = params.alpha * factor[at.row];
  for (var j = at.first + lane; j < at.end; j += WG) {
    y[at.start + j] = scale * exp_or_nan(x[at.start + j] - base);
  }
}
