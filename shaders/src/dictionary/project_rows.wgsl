// y[r] = g[r] − (g[r]·w[r]) w[r]: the part of a gradient that leaves the length of a unit row w[r] as it is
// uses: reduce
// g [rows, width]
// w [rows, width], rows of length 1
// y [rows, width]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> g: array<f32>;
@group(0) @binding(1) var<storage, read> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn project_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  var along = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    along += g[start + j] * w[start + j];
  }
  along = workgroup_sum(along, lane);
  for (var j = lane; j < params.width; j += WG) {
    y[start + j] = g[start + j] - along * w[start + j];
  }
}
