// Running (max, Σ exp(l − max), l_target) of a row of logits over one tile of the vocabulary; one workgroup a row
// uses: reduce, nan, softmax
// logits [rows, stride]: columns 0 … cols − 1 are tokens first … first + cols − 1
// targets [rows] from row target_row
// state [rows, 3] from row target_row: max, sum, logit of the target
struct Params {
  rows: u32,
  cols: u32,
  stride: u32,
  first: u32,
  target_row: u32,
  // 1 starts the state
  start: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn vocabulary_scan(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.stride;
  var top = LOWEST;
  for (var j = lane; j < params.cols; j += WG) {
    top = max(top, logits[base + j]);
  }
  let tile_top = workgroup_max(top, lane);
  var sum = 0.0;
  for (var j = lane; j < params.cols; j += WG) {
    sum += softmax_term(logits[base + j], tile_top);
  }
  let tile_sum = softmax_sum(workgroup_sum(sum, lane));
  if (lane != 0u) {
    return;
  }
  let at = params.target_row + row;
  var old_top = LOWEST;
  var old_sum = 0.0;
  var picked = 0.0;
  if (params.start == 0u) {
    old_top = state[3u * at];
    old_sum = state[3u * at + 1u];
    picked = state[3u * at + 2u];
  }
  let new_top = max(old_top, tile_top);
  let token = targets[at];
  if (token >= params.first && token - params.first < params.cols) {
    picked = logits[base + token - params.first];
  }
  state[3u * at] = new_top;
  state[3u * at + 1u] = old_sum * exp(old_top - new_top) + tile_sum * exp(tile_top - new_top);
  state[3u * at + 2u] = picked;
}
