// w[r] ← w[r] / ‖w[r]‖, in place; a row of zeros stays
// uses: reduce
// w [rows, width]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> w: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn unit_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  var squares = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    squares += w[start + j] * w[start + j];
  }
  squares = workgroup_sum(squares, lane);
  if (squares == 0.0) {
    return;
  }
  let norm = sqrt(squares);
  for (var j = lane; j < params.width; j += WG) {
    w[start + j] /= norm;
  }
}
