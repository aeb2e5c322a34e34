// logits ← mask_n dloss_n (exp(l − lse_n) − [token = target]), in place on one tile; 0 in padding columns cols … width − 1 and where target_n ≥ vocabulary
// uses: nan, row_run
// targets [rows] from row target_row
// lse [rows] from row target_row
// d_loss [rows] from row target_row
// mask [rows] from row target_row, read where masked = 1
// logits [rows, width], width and run multiples of 4: columns 0 … cols − 1 are tokens first … first + cols − 1
struct Params {
  rows: u32,
  cols: u32,
  width: u32,
  // numbers of a row that a workgroup takes
  run: u32,
  first: u32,
  vocabulary: u32,
  target_row: u32,
  masked: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> targets: array<u32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> d_loss: array<f32>;
@group(0) @binding(3) var<storage, read> mask: array<f32>;
@group(0) @binding(4) var<storage, read_write> logits: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn vocabulary_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = row_run(group, groups);
  if (at.row >= params.rows) {
    return;
  }
  let n = params.target_row + at.row;
  let start = at.start / 4u;
  let end = at.end / 4u;
  let chosen = targets[n];
  if (chosen >= params.vocabulary) {
    for (var j = at.first / 4u + lane; j < end; j += WG) {
      logits[start + j] = vec4f();
    }
    return;
  }
  var weight = d_loss[n];
  if (params.masked == 1u) {
    weight *= mask[n];
  }
  let base = lse[n];
  for (var j = at.first / 4u + lane; j < end; j += WG) {
    let cols = 4u * j + vec4u(0u, 1u, 2u, 3u);
    let hit = select(vec4f(), vec4f(1.0), params.first + cols == vec4u(chosen));
    let slopes = weight * (exp_or_nan4(logits[start + j] - base) - hit);
    logits[start + j] = select(vec4f(), slopes, cols < vec4u(params.cols));
  }
}
