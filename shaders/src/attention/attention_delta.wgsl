// stats_t = (lse_t, δ_t),  δ_t = Σ_d dz_td z_td = Σ_j p_tj dp_tj: what the softmax's backward subtracts
// z [batch, queries, heads, head_width]
// dz [batch, queries, heads, head_width]
// lse [batch, heads, queries]
// stats [batch, heads, queries, 2]
struct Params {
  batch: u32,
  heads: u32,
  queries: u32,
  head_width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> z: array<f32>;
@group(0) @binding(1) var<storage, read> dz: array<f32>;
@group(0) @binding(2) var<storage, read> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> stats: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn attention_delta(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.batch * params.heads * params.queries) {
    return;
  }
  let t = i % params.queries;
  let h = (i / params.queries) % params.heads;
  let b = i / (params.queries * params.heads);
  let at = ((b * params.queries + t) * params.heads + h) * params.head_width;
  var delta = 0.0;
  for (var d = 0u; d < params.head_width; d++) {
    delta += dz[at + d] * z[at + d];
  }
  stats[2u * i] = lse[i];
  stats[2u * i + 1u] = delta;
}
