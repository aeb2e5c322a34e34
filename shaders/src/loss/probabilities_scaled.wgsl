// y[n, v] = alpha · factor[n] · exp(x[n, v] − lse[n]): the gradient of log Σ exp, alpha = 1, and of gathered probabilities, alpha = −1
// uses: nan
// x [N, V]
// lse [N]
// factor [N]
// y [N, V], size = N · V
struct Params {
  size: u32,
  width: u32,
  alpha: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> factor: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn probabilities_scaled(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let row = i / params.width;
  y[i] = params.alpha * factor[row] * exp_or_nan(x[i] - lse[row]);
}
