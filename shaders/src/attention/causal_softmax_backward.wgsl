// ds_tj = p_tj (dp_tj − Σ_i p_ti dp_ti); masked places have p = 0; one workgroup a row
// uses: reduce
// pattern [rows, keys]
// d_pattern [rows, keys]
// d_scores [rows, keys]
struct Params {
  rows: u32,
  keys: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> pattern: array<f32>;
@group(0) @binding(1) var<storage, read> d_pattern: array<f32>;
@group(0) @binding(2) var<storage, read_write> d_scores: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn causal_softmax_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.keys;
  var dot = 0.0;
  for (var j = lane; j < params.keys; j += WG) {
    dot += pattern[base + j] * d_pattern[base + j];
  }
  let row_dot = workgroup_sum(dot, lane);
  for (var j = lane; j < params.keys; j += WG) {
    d_scores[base + j] = pattern[base + j] * (d_pattern[base + j] - row_dot);
  }
}
