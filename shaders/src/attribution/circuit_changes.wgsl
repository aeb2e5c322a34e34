// changes[node + r, i] = output[r, i] − reference[i]   (ẑ_u − z'_u for the circuits r that contain node u)
// output [rows, inner], inner = B·T·C
// reference [≥ 1, inner]: row `which` is the node's own output in the corrupted run
// changes [nodes, inner], other rows untouched
struct Params {
  rows: u32,
  inner: u32,
  which: u32,
  node: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> output: array<f32>;
@group(0) @binding(1) var<storage, read> reference: array<f32>;
@group(0) @binding(2) var<storage, read_write> changes: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn circuit_changes(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * WG + id.x;
  if (n >= params.rows * params.inner) {
    return;
  }
  changes[params.node * params.inner + n] = output[n] - reference[params.which * params.inner + n % params.inner];
}
