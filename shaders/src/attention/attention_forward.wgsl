// z_t = Σ_{j ≤ past + t} p_tj v_j,  p = softmax_j(scale · q_t · k_j), by a running maximum and sum; one lane a query
// uses: attention, nan
// q [batch, queries, heads, HEAD]
// k [batch, keys, heads, HEAD]
// v [batch, keys, heads, HEAD]
// lengths [batch]: keys at or beyond it are padding; read where masked = 1
// z [batch, queries, heads, HEAD]
// lse [batch, heads, queries]: log Σ_j exp(scale · q_t · k_j)

override WG: u32 = 64u;
// width of one head, at most 128
override HEAD: u32 = 64u;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read_write> z: array<f32>;
@group(0) @binding(5) var<storage, read_write> lse: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn attention_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.batch * params.heads * params.queries) {
    return;
  }
  let t = i % params.queries;
  let h = (i / params.queries) % params.heads;
  let b = i / (params.queries * params.heads);
  let q_at = ((b * params.queries + t) * params.heads + h) * HEAD;
  var query: array<f32, 128>;
  var sum_v: array<f32, 128>;
  for (var d = 0u; d < HEAD; d++) {
    query[d] = q[q_at + d] * params.scale;
    sum_v[d] = 0.0;
  }
  var end = min(params.keys, params.past + t + 1u);
  if (params.masked == 1u) {
    end = min(end, lengths[b]);
  }
  var top = -1e30;
  var sum = 0.0;
  for (var j = 0u; j < end; j++) {
    let at = ((b * params.keys + j) * params.heads + h) * HEAD;
    var score = 0.0;
    for (var d = 0u; d < HEAD; d++) {
      score += query[d] * k[at + d];
    }
    let new_top = max(top, score);
    let fade = exp(top - new_top);
    // NaN for a score of NaN and, as ∞ − ∞, of +∞; it stays in both sums.
    let weight = exp_or_nan(score - new_top);
    sum = sum * fade + weight;
    top = new_top;
    for (var d = 0u; d < HEAD; d++) {
      sum_v[d] = sum_v[d] * fade + weight * v[at + d];
    }
  }
  // A row without any key (length 0) is zero.
  let inverse = select(1.0 / sum, 0.0, sum == 0.0);
  for (var d = 0u; d < HEAD; d++) {
    z[q_at + d] = sum_v[d] * inverse;
  }
  lse[i] = top + select(log(max(sum, 1e-30)), sum, is_nan(sum));
}
