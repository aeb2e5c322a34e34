// dk_j = scale · Σ_{t ≥ j − past} ds_tj q_t,  dv_j = Σ_{t ≥ j − past} p_tj dz_t,  ds as for dq; one lane a key
// uses: attention, nan
// q [batch, queries, heads, HEAD]
// k [batch, keys, heads, HEAD]
// v [batch, keys, heads, HEAD]
// dz [batch, queries, heads, HEAD]
// stats [batch, heads, queries, 2]: lse, δ
// lengths [batch], read where masked = 1
// dk [batch, keys, heads, HEAD]
// dv [batch, keys, heads, HEAD]

override WG: u32 = 64u;
// width of one head, at most 128
override HEAD: u32 = 64u;

@group(0) @binding(0) var<storage, read> q: array<f32>;
@group(0) @binding(1) var<storage, read> k: array<f32>;
@group(0) @binding(2) var<storage, read> v: array<f32>;
@group(0) @binding(3) var<storage, read> dz: array<f32>;
@group(0) @binding(4) var<storage, read> stats: array<f32>;
@group(0) @binding(5) var<storage, read> lengths: array<u32>;
@group(0) @binding(6) var<storage, read_write> dk: array<f32>;
@group(0) @binding(7) var<storage, read_write> dv: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn attention_backward_key_value(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.batch * params.heads * params.keys) {
    return;
  }
  let j = i % params.keys;
  let h = (i / params.keys) % params.heads;
  let b = i / (params.keys * params.heads);
  let at = ((b * params.keys + j) * params.heads + h) * HEAD;
  var key: array<f32, 128>;
  var value: array<f32, 128>;
  var sum_k: array<f32, 128>;
  var sum_v: array<f32, 128>;
  for (var d = 0u; d < HEAD; d++) {
    key[d] = k[at + d] * params.scale;
    value[d] = v[at + d];
    sum_k[d] = 0.0;
    sum_v[d] = 0.0;
  }
  var first = select(0u, j - params.past, j > params.past);
  if (params.masked == 1u && j >= lengths[b]) {
    first = params.queries;
  }
  for (var t = first; t < params.queries; t++) {
    let q_at = ((b * params.queries + t) * params.heads + h) * HEAD;
    let s_at = 2u * ((b * params.heads + h) * params.queries + t);
    var score = 0.0;
    var dp = 0.0;
    for (var d = 0u; d < HEAD; d++) {
      score += q[q_at + d] * key[d];
      dp += dz[q_at + d] * value[d];
    }
    let p = exp_or_nan(score - stats[s_at]);
    let ds = p * (dp - stats[s_at + 1u]) * params.scale;
    for (var d = 0u; d < HEAD; d++) {
      sum_k[d] += ds * q[q_at + d];
      sum_v[d] += p * dz[q_at + d];
    }
  }
  for (var d = 0u; d < HEAD; d++) {
    dk[at + d] = sum_k[d];
    dv[at + d] = sum_v[d];
  }
}
