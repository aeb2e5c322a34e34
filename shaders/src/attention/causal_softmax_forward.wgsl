// p_tj = exp(s_tj − max) / Σ exp over keys j ≤ past + t and j < length; 0 elsewhere; one workgroup a row
// uses: reduce, nan, softmax, attention_rows
// scores [batch, heads, queries, keys]
// lengths [batch], read where masked = 1
// pattern [batch, heads, queries, keys]

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read_write> pattern: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn causal_softmax_forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.keys;
  let end = keys_seen(row);
  var top = LOWEST;
  for (var j = lane; j < end; j += WG) {
    top = max(top, scores[base + j]);
  }
  let row_top = workgroup_max(top, lane);
  var sum = 0.0;
  for (var j = lane; j < end; j += WG) {
    sum += softmax_term(scores[base + j], row_top);
  }
  let row_sum = workgroup_sum(sum, lane);
  let inverse = inverse_sum(row_sum);
  for (var j = lane; j < params.keys; j += WG) {
    pattern[base + j] = select(0.0, exp(min(scores[base + j] - row_top, 0.0)) * inverse, j < end);
  }
}
