// p_tj = exp(s_tj − max) / Σ exp over keys j ≤ past + t and j < length; 0 elsewhere; one workgroup a row
// uses: reduce, nan, softmax
// scores [batch, heads, queries, keys]
// lengths [batch], read where masked = 1
// pattern [batch, heads, queries, keys]
struct Params {
  rows: u32,
  heads: u32,
  queries: u32,
  keys: u32,
  past: u32,
  masked: u32,
}

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
  var end = min(params.keys, params.past + row % params.queries + 1u);
  if (params.masked == 1u) {
    end = min(end, lengths[row / (params.queries * params.heads)]);
  }
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
  // A row without any key is zero. A score that is NaN or +∞ makes the whole row NaN: it must not pass for an empty row.
  let inverse = select(1.0 / softmax_sum(row_sum), 0.0, row_sum == 0.0);
  for (var j = lane; j < params.keys; j += WG) {
    pattern[base + j] = select(0.0, exp(min(scores[base + j] - row_top, 0.0)) * inverse, j < end);
  }
}
