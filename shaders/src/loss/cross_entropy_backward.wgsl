// dx[n, v] = dy[n] · (exp(x[n, v] − lse[n]) − [v = targets[n]]), 0 where targets[n] ≥ V
// uses: nan
// x [N, V]
// lse [N]
// targets [N]
// dy [N]
// dx [N, V], size = N · V
struct Params {
  size: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let row = i / params.width;
  let chosen = targets[row];
  if (chosen >= params.width) {
    dx[i] = 0.0;
    return;
  }
  let hit = select(0.0, 1.0, i - row * params.width == chosen);
  dx[i] = dy[row] * (exp_or_nan(x[i] - lse[row]) - hit);
}
