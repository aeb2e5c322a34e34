// kl[n] = Σ_v p[n, v] · (logp[n, v] − x[n, v] + lse[n]), p = exp(logp), lse[n] = log Σ_v exp(x[n, v]); a term with p = 0 is 0
// uses: reduce, nan, softmax, running, kl_scan
// logp [rows, width], log-probabilities
// x [rows, width], logits
// kl [rows]
// lse [rows]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> logp: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> kl: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn kl_divergence_forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  let part = kl_scan(start, lane, WG);
  let top = workgroup_max(running_top(part.run), lane);
  let offset = softmax_log(workgroup_sum(running_sum(part.run, top), lane));
  let distance = workgroup_sum(kl_distance(part, top), lane);
  let mass = workgroup_sum(kl_mass(part), lane);
  if (lane == 0u) {
    kl[row] = distance + offset * mass;
    lse[row] = top + offset;
  }
}
