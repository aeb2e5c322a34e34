// ds_tj = p_tj (dp_tj − Σ_i p_ti dp_ti); masked places have p = 0; one lane a row, by vec4, where barriers are dear
// pattern [rows, keys], keys a multiple of 4
// d_pattern [rows, keys]
// d_scores [rows, keys]
struct Params {
  rows: u32,
  keys: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> pattern: array<vec4f>;
@group(0) @binding(1) var<storage, read> d_pattern: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> d_scores: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn causal_softmax_lane4_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let count = params.keys / 4u;
  let base = row * count;
  var dots = vec4f();
  for (var i = 0u; i < count; i++) {
    dots += pattern[base + i] * d_pattern[base + i];
  }
  let row_dot = (dots.x + dots.y) + (dots.z + dots.w);
  for (var i = 0u; i < count; i++) {
    d_scores[base + i] = pattern[base + i] * (d_pattern[base + i] - row_dot);
  }
}
