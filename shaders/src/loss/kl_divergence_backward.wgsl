// dx[n, v] = dy[n] · (exp(x[n, v] − lse[n]) − exp(logp[n, v]))
// uses: nan, row_run
// logp [N, V], log-probabilities
// x [N, V]
// lse [N], log Σ exp of x
// dy [N]
// dx [N, V]
struct Params {
  rows: u32,
  width: u32,
  // numbers of a row that a workgroup takes
  run: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> logp: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn kl_divergence_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = row_run(group, groups);
  if (at.row >= params.rows) {
    return;
  }
  let base = lse[at.row];
  let slope = dy[at.row];
  for (var j = at.first + lane; j < at.end; j += WG) {
    let i = at.start + j;
    dx[i] = slope * (exp_or_nan(x[i] - base) - exp_or_nan(logp[i]));
  }
}
