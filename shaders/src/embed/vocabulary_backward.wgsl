// logits ← mask_n dloss_n (exp(l − lse_n) − [token = target]), in place on one tile; 0 in padding columns cols … stride − 1 and where target_n ≥ vocabulary
// uses: nan
// targets [rows] from row target_row
// lse [rows] from row target_row
// d_loss [rows] from row target_row
// mask [rows] from row target_row, read where masked = 1
// logits [rows, stride]: columns 0 … cols − 1 are tokens first … first + cols − 1
struct Params {
  rows: u32,
  cols: u32,
  stride: u32,
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
@group(0) @binding(4) var<storage, read_write> logits: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn vocabulary_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.rows * params.stride) {
    return;
  }
  let col = i % params.stride;
  let n = params.target_row + i / params.stride;
  if (col >= params.cols || targets[n] >= params.vocabulary) {
    logits[i] = 0.0;
    return;
  }
  var weight = d_loss[n];
  if (params.masked == 1u) {
    weight *= mask[n];
  }
  logits[i] = weight * (exp_or_nan(logits[i] - lse[n]) - select(0.0, 1.0, params.first + col == targets[n]));
}
