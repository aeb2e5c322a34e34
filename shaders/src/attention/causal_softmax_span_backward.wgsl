// ds_tj = p_tj (dp_tj − Σ_i p_ti dp_ti); masked places have p = 0; SPAN lanes a row, which they hold in registers as vec4s
// uses: span
// pattern [rows, keys], keys a multiple of 4 and at most 32 · SPAN
// d_pattern [rows, keys]
// d_scores [rows, keys]
struct Params {
  rows: u32,
  keys: u32,
}

override WG: u32 = 64u;
override SPAN: u32 = 64u;
// vec4s of a row that a lane holds: ⌈keys / 4 SPAN⌉
override HELD: u32 = 8u;

@group(0) @binding(0) var<storage, read> pattern: array<vec4f>;
@group(0) @binding(1) var<storage, read> d_pattern: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> d_scores: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn causal_softmax_span_backward(
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
  var shares: array<vec4f, 8>;
  var slopes: array<vec4f, 8>;
  var sum = 0.0;
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count) {
      shares[k] = pattern[base + i];
      slopes[k] = d_pattern[base + i];
      sum += dot(shares[k], slopes[k]);
    }
  }
  let row_dot = span_sum(sum, lane);
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count) {
      d_scores[base + i] = shares[k] * (slopes[k] - row_dot);
    }
  }
}
