// ds_tj = p_tj (dp_tj − Σ_i p_ti dp_ti); masked places have p = 0; one lane a row, where barriers are dear
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
fn causal_softmax_lane_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.keys;
  var row_dot = 0.0;
  for (var j = 0u; j < params.keys; j++) {
    row_dot += pattern[base + j] * d_pattern[base + j];
  }
  for (var j = 0u; j < params.keys; j++) {
    d_scores[base + j] = pattern[base + j] * (d_pattern[base + j] - row_dot);
  }
}
