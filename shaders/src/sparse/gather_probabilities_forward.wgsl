// y[n, a] = ids[n, a] < V ? exp(x[n, ids[n, a]] − lse[n]) : 0, the softmax probability of each id
// uses: nan
// x [N, V]
// lse [N], log Σ exp of the row
// ids [N, A]
// y [N, A], size = N · A
struct Params {
  size: u32,
  width: u32,
  picks: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gather_probabilities_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let token = ids[i];
  let row = i / params.picks;
  if (token < params.width) {
    y[i] = exp_or_nan(x[row * params.width + token] - lse[row]);
  } else {
    y[i] = 0.0;
  }
}
