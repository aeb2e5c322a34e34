// kl[n] = Σ_v p[n, v] · (logp[n, v] − x[n, v] + lse[n]), p = exp(logp), lse[n] = log Σ_v exp(x[n, v]); a term with p = 0 is 0; one lane a row, where barriers are dear
// uses: nan, softmax, running, kl_scan
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
fn kl_divergence_lane_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let part = kl_scan(row * params.width, 0u, 1u);
  let top = running_top(part.run);
  let offset = softmax_log(running_sum(part.run, top));
  kl[row] = kl_distance(part, top) + offset * kl_mass(part);
  lse[row] = top + offset;
}
