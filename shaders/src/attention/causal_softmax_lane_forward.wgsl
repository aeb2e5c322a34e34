// p_tj = exp(s_tj − max) / Σ exp over keys j ≤ past + t and j < length; 0 elsewhere; one lane a row, where barriers are dear
// uses: nan, softmax, attention_rows
// scores [batch, heads, queries, keys]
// lengths [batch], read where masked = 1
// pattern [batch, heads, queries, keys]

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read_write> pattern: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn causal_softmax_lane_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.keys;
  let end = keys_seen(row);
  var top = LOWEST;
  var sum = 0.0;
  var as_i32 = -0x7fffffff;
  var as_u32 = 0u;
  for (var j = 0u; j < end; j++) {
    let score = scores[base + j];
    as_i32 = max(as_i32, bitcast<i32>(score));
    as_u32 = max(as_u32, bitcast<u32>(score));
    let new_top = max(top, score);
    sum = sum * exp(top - new_top) + exp(score - new_top);
    top = new_top;
  }
  let inverse = inverse_sum(select(sum, -1e30, spoilt(vec4i(as_i32), vec4u(as_u32))));
  for (var j = 0u; j < end; j++) {
    pattern[base + j] = exp(min(scores[base + j] - top, 0.0)) * inverse;
  }
  for (var j = end; j < params.keys; j++) {
    pattern[base + j] = 0.0;
  }
}
