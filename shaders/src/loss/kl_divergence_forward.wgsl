// kl[n] = Σ_v p[n, v] · (logp[n, v] − x[n, v] + lse[n]), p = exp(logp), lse[n] = log Σ_v exp(x[n, v]); a term with p = 0 is 0
// uses: reduce, nan, softmax
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
  // Softmax in two passes: the row's maximum, then Σ exp(x − maximum).
  var top = LOWEST;
  for (var j = lane; j < params.width; j += WG) {
    top = max(top, x[start + j]);
  }
  top = workgroup_max(top, lane);
  var total = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    total += softmax_term(x[start + j], top);
  }
  total = workgroup_sum(total, lane);
  let offset = softmax_log(total);
  var distance = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    let p = exp_or_nan(logp[start + j]);
    if (p > 0.0 || is_nan(p)) {
      distance += p * (logp[start + j] - ((x[start + j] - top) - offset));
    }
  }
  distance = workgroup_sum(distance, lane);
  if (lane == 0u) {
    kl[row] = distance;
    lse[row] = top + offset;
  }
}
