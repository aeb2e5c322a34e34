// p_tj = exp(s_tj − max) / Σ exp over keys j ≤ past + t and j < length; 0 elsewhere; SPAN lanes a row, which they hold in registers as vec4s
// uses: nan, softmax, attention_rows, span
// scores [batch, heads, queries, keys], keys a multiple of 4 and at most 32 · SPAN
// lengths [batch], read where masked = 1
// pattern [batch, heads, queries, keys]

override WG: u32 = 64u;
override SPAN: u32 = 64u;
// vec4s of a row that a lane holds: ⌈keys / 4 SPAN⌉
override HELD: u32 = 8u;

@group(0) @binding(0) var<storage, read> scores: array<vec4f>;
@group(0) @binding(1) var<storage, read> lengths: array<u32>;
@group(0) @binding(2) var<storage, read_write> pattern: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn causal_softmax_span_forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * (WG / SPAN);
  if (first >= params.rows) {
    return;
  }
  let row = first + lane / SPAN;
  let rank = lane % SPAN;
  // Lanes of rows beyond the last one go along, since all must meet at the barriers.
  let count = select(0u, params.keys / 4u, row < params.rows);
  let base = row * (params.keys / 4u);
  let end = keys_seen(min(row, params.rows - 1u));
  let places = vec4u(0u, 1u, 2u, 3u);
  var held: array<vec4f, 8>;
  var tops = vec4f(LOWEST);
  var as_i32 = vec4i(-0x7fffffff);
  var as_u32 = vec4u();
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count && 4u * i < end) {
      let inside = 4u * i + places < vec4u(end);
      held[k] = select(vec4f(LOWEST), scores[base + i], inside);
      tops = max(tops, held[k]);
      as_i32 = max(as_i32, bitcast<vec4i>(held[k]));
      as_u32 = max(as_u32, bitcast<vec4u>(held[k]));
    }
  }
  let top = span_max(max(max(tops.x, tops.y), max(tops.z, tops.w)), lane);
  var sum = 0.0;
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    let inside = 4u * i + places < vec4u(min(end, 4u * count));
    held[k] = select(vec4f(), exp(min(held[k] - top, vec4f())), inside);
    sum += dot(held[k], vec4f(1.0));
  }
  let inverse = inverse_sum(span_sum(select(sum, -1e30, spoilt(as_i32, as_u32)), lane));
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count) {
      pattern[base + i] = select(vec4f(), held[k] * inverse, 4u * i + places < vec4u(end));
    }
  }
}
