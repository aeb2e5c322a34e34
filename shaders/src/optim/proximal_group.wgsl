// p_g ← p_g · max(0, 1 − rate · l2 / ((√(mean_g v / (1 − β₂ᵗ)) + floor) · ‖p_g‖)): the proximal step of l2 · Σ_g ‖p_g‖₂, groups of `width` elements in a row
// uses: reduce, nan
// second [groups · width], v
// parameter [offset + groups · width or more]
struct Params {
  rows: u32,
  width: u32,
  offset: u32,
  // rate · l2
  threshold: f32,
  floor: f32,
  correction2: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> second: array<f32>;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn proximal_group(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = params.offset + row * params.width;
  var squares = 0.0;
  var seconds = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    squares += parameter[start + j] * parameter[start + j];
    seconds += second[row * params.width + j];
  }
  squares = workgroup_sum(squares, lane);
  seconds = workgroup_sum(seconds, lane);
  let metric = sqrt(seconds / (f32(params.width) * params.correction2)) + params.floor;
  let shrink = params.threshold / metric;
  let norm = sqrt(squares);
  for (var j = lane; j < params.width; j += WG) {
    let p = parameter[start + j];
    if (!is_nan(norm) && norm <= shrink) {
      parameter[start + j] = 0.0;
    } else {
      parameter[start + j] = p * (1.0 - shrink / norm);
    }
  }
}
