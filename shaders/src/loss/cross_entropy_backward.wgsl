// dx[n, v] = dy[n] · (exp(x[n, v] − lse[n]) − [v = targets[n]]), 0 where targets[n] ≥ V
// uses: nan, row_run
// x [N, V]
// lse [N]
// targets [N]
// dy [N]
// dx [N, V]
struct Params {
  rows: u32,
  width: u32,
  // numbers of a row that a workgroup takes
  run: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = row_run(group, groups);
  if (at.row >= params.rows) {
    return;
  }
  let chosen = targets[at.row];
  if (chosen >= params.width) {
    for (var j = at.first + lane; j < at.end; j += WG) {
      dx[at.start + j] = 0.0;
    }
    return;
  }
  let base = lse[at.row];
  let slope = dy[at.row];
  for (var j = at.first + lane; j < at.end; j += WG) {
    dx[at.start + j] = slope * (exp_or_nan(x[at.start + j] - base) - select(0.0, 1.0, j == chosen));
  }
}
