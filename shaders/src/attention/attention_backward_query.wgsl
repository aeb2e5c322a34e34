// dq_t = scale · Σ_j ds_tj k_j,  ds_tj = p_tj (dz_t · v_j − δ_t),  p recomputed from lse; one lane a query
// uses: attention, nan
// q [batch, queries, heads, HEAD]
// k [batch, keys, heads, HEAD]
// v [batch, keys, heads, HEAD]
// dz [batch, queries, heads, HEAD]
// stats [batch, heads, queries, 2]: lse, δ
// lengths [batch], read where masked = 1
// dq [batch, queries, heads, HEAD]

override WG: u32 = 64u;
// width of one head, at most 128
override HEAD: u32 = 64u;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dz: array<f32>;
@group(0) @binding(4) var<storage, read> stats: array<f32>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> dq: array<f32>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn attention_backward_query(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.batch * params.heads * params.queries) {
    return;
  }
  let t = i % params.queries;
  let h = (i / params.queries) % params.heads;
  let b = i / (params.queries * params.heads);
  let q_at = ((b * params.queries + t) * params.heads + h) * HEAD;
  var query: array<f32, 128>;
  var d_out: array<f32, 128>;
  var sum: array<f32, 128>;
  for (var d = 0u; d < HEAD; d++) {
    query[d] = q[q_at + d] * params.scale;
    d_out[d] = dz[q_at + d];
    sum[d] = 0.0;
  }
  let lse = stats[2u * i];
  let delta = stats[2u * i + 1u];
  var end = min(params.keys, params.past + t + 1u);
  if (params.masked == 1u) {
    end = min(end, lengths[b]);
  }
  for (var j = 0u; j < end; j++) {
    let at = ((b * params.keys + j) * params.heads + h) * HEAD;
    var score = 0.0;
    var dp = 0.0;
    for (var d = 0u; d < HEAD; d++) {
      score += query[d] * k[at + d];
      dp += d_out[d] * v[at + d];
    }
    let ds = exp_or_nan(score - lse) * (dp - delta) * params.scale;
    for (var d = 0u; d < HEAD; d++) {
      sum[d] += ds * k[at + d];
    }
  }
  for (var d = 0u; d < HEAD; d++) {
    dq[q_at + d] = sum[d];
  }
}
