// dx[n, v] = dy[n] · (exp(x[n, v] − lse[n]) − [v = targets[n]]), 0 where targets[n] ≥ V; by vec4s
// uses: nan, row_run
// x [N, V], V and run multiples of 4
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

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<u32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy4_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = row_run(group, groups);
  if (at.row >= params.rows) {
    return;
  }
  let start = at.start / 4u;
  let end = at.end / 4u;
  let chosen = targets[at.row];
  if (chosen >= params.width) {
    for (var j = at.first / 4u + lane; j < end; j += WG) {
      dx[start + j] = vec4f();
    }
    return;
  }
  let base = lse[at.row];
  let slope = dy[at.row];
  for (var j = at.first / 4u + lane; j < end; j += WG) {
    let hit = 4u * j + vec4u(0u, 1u, 2u, 3u) == vec4u(chosen);
    dx[start + j] = slope * (exp_or_nan4(x[start + j] - base) - select(vec4f(), vec4f(1.0), hit));
  }
}
