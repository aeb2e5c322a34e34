// Running (max, Σ exp(l − max), l_target) of a row of logits over one tile of the vocabulary; one lane a row, where barriers are dear
// uses: nan, softmax, running, vocabulary_tile
// logits [rows, stride], stride a multiple of 4: columns 0 … cols − 1 are tokens first … first + cols − 1
// targets [rows] from row target_row
// state [rows, 3] from row target_row: max, sum, logit of the target

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> logits: array<vec4f>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> state: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn vocabulary_scan_lane(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let run = tile_scan(row, 0u, 1u);
  let tile_top = running_top(run);
  tile_state(row, tile_top, softmax_sum(running_sum(run, tile_top)));
}
