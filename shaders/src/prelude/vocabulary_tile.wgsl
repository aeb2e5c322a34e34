// A lane's share of a tile's row of logits: vec4s rank, rank + stride, … of those that hold columns. Needs `logits: array<vec4f>`, `targets`
// and `state`, and the Params of vocabulary_scan. Uses prelude/running.wgsl.
struct Params {
  rows: u32,
  cols: u32,
  stride: u32,
  first: u32,
  target_row: u32,
  // 1 starts the state
  start: u32,
}

fn tile_scan(row: u32, rank: u32, stride: u32) -> Running {
  let base = row * (params.stride / 4u);
  let whole = params.cols / 4u;
  var run = running_none();
  var i = rank;
  for (; i + 3u * stride < whole; i += 4u * stride) {
    let at = base + i;
    run = running_sixteen(run, logits[at], logits[at + stride], logits[at + 2u * stride], logits[at + 3u * stride]);
  }
  for (; 4u * i < params.cols; i += stride) {
    run = running_some(run, logits[base + i], 4u * i + vec4u(0u, 1u, 2u, 3u) < vec4u(params.cols));
  }
  return run;
}

// The state of a row with this tile's maximum and Σ exp(l − maximum) taken in.
fn tile_state(row: u32, tile_top: f32, tile_sum: f32) {
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
    let place = token - params.first;
    picked = logits[row * (params.stride / 4u) + place / 4u][place % 4u];
  }
  state[3u * at] = new_top;
  state[3u * at + 1u] = old_sum * exp(old_top - new_top) + tile_sum * exp(tile_top - new_top);
  state[3u * at + 2u] = picked;
}
