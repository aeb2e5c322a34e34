// p_tj = exp(s_tj − max) / Σ exp over keys j ≤ past + t and j < length; 0 elsewhere; one lane a row, by vec4, where barriers are dear
// uses: nan, softmax, attention_rows
// scores [batch, heads, queries, keys], keys a multiple of 4
// lengths [batch], read where masked = 1
// pattern [batch, heads, queries, keys]

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> scores: array<vec4f>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read_write> pattern: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn causal_softmax_lane4_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let count = params.keys / 4u;
  let base = row * count;
  let end = keys_seen(row);
  let whole = end / 4u;
  // The vec4 in which the row ends, if it ends within one.
  let inside = 4u * whole + vec4u(0u, 1u, 2u, 3u) < vec4u(end);
  // Four sums beside each other, each about the largest number that it has met.
  var top = vec4f(LOWEST);
  var sum = vec4f();
  var as_i32 = vec4i(-0x7fffffff);
  var as_u32 = vec4u();
  for (var i = 0u; i < whole; i++) {
    let score = scores[base + i];
    as_i32 = max(as_i32, bitcast<vec4i>(score));
    as_u32 = max(as_u32, bitcast<vec4u>(score));
    let new_top = max(top, score);
    sum = sum * exp(top - new_top) + exp(score - new_top);
    top = new_top;
  }
  if (inside.x) {
    let score = select(vec4f(LOWEST), scores[base + whole], inside);
    as_i32 = max(as_i32, bitcast<vec4i>(score));
    as_u32 = max(as_u32, bitcast<vec4u>(score));
    let new_top = max(top, score);
    sum = sum * exp(top - new_top) + select(vec4f(), exp(score - new_top), inside);
    top = new_top;
  }
  let row_top = max(max(top.x, top.y), max(top.z, top.w));
  let parts = sum * exp(top - row_top);
  let inverse = inverse_sum(select((parts.x + parts.y) + (parts.z + parts.w), -1e30, spoilt(as_i32, as_u32)));
  for (var i = 0u; i < whole; i++) {
    pattern[base + i] = exp(min(scores[base + i] - row_top, vec4f())) * inverse;
  }
  if (inside.x) {
    let power = exp(min(scores[base + whole] - row_top, vec4f()));
    pattern[base + whole] = select(vec4f(), power * inverse, inside);
  }
  for (var i = (end + 3u) / 4u; i < count; i++) {
    pattern[base + i] = vec4f();
  }
}
