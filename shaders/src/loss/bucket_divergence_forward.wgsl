// With P the reference, Q = softmax(x), B the answers, p and q their sums over B: value[n] = Σ_{v∉B} P_v log(P_v / Q_v) + p log(p / q), or Σ_{v∉B} P′_v log(P′_v / Q′_v) with both renormalised outside B, or |p − q|
// uses: reduce, nan, softmax
// logp [refs, width], log-probabilities; row n is compared with row n mod refs
// x [rows, width], logits
// ids [rows, picks], the answers
// value [rows]
// slopes [rows, 5]: a, base_out, b, base_in, c with dx_v = a · exp(x_v − base_out) + b · P_v outside B and c · exp(x_v − base_in) inside
struct Params {
  rows: u32,
  refs: u32,
  width: u32,
  picks: u32,
}

override WG: u32 = 64u;
// 0: B as one outcome, 1: renormalised outside B, 2: difference of sums
override FORM: u32 = 0u;

@group(0) @binding(0) var<storage, read> logp: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read_write> value: array<f32>;
@group(0) @binding(4) var<storage, read_write> slopes: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

fn is_answer(row: u32, token: u32) -> bool {
  for (var a = 0u; a < params.picks; a++) {
    if (ids[row * params.picks + a] == token) {
      return true;
    }
  }
  return false;
}

@compute @workgroup_size(WG)
fn bucket_divergence_forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  let before = (row % params.refs) * params.width;
  // Maxima and Σ exp of what is outside B and of what is inside, apart: the smaller must not drown in the larger.
  var top_out = LOWEST;
  var top_in = LOWEST;
  for (var j = lane; j < params.width; j += WG) {
    if (is_answer(row, j)) {
      top_in = max(top_in, x[start + j]);
    } else {
      top_out = max(top_out, x[start + j]);
    }
  }
  top_out = workgroup_max(top_out, lane);
  top_in = workgroup_max(top_in, lane);
  var sum_out = 0.0;
  var sum_in = 0.0;
  var p_out = 0.0;
  var p_in = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    let p = exp_or_nan(logp[before + j]);
    if (is_answer(row, j)) {
      sum_in += softmax_term(x[start + j], top_in);
      p_in += p;
    } else {
      sum_out += softmax_term(x[start + j], top_out);
      p_out += p;
    }
  }
  let lse_out = top_out + softmax_log(workgroup_sum(sum_out, lane));
  let lse_in = top_in + softmax_log(workgroup_sum(sum_in, lane));
  p_out = workgroup_sum(p_out, lane);
  p_in = workgroup_sum(p_in, lane);
  let top = max(lse_out, lse_in);
  let spoilt = is_nan(lse_out) || is_nan(lse_in);
  let lse = nan_where(spoilt, top + log(exp(lse_out - top) + exp(lse_in - top)));
  let q_in = nan_where(spoilt, exp(lse_in - lse));
  let q_out = nan_where(spoilt, exp(lse_out - lse));
  // What Q outside B is measured against, and how P is weighed there.
  var base = lse;
  var weight = 1.0;
  if (FORM == 1u) {
    base = lse_out;
    weight = 1.0 / max(p_out, 1e-37);
  }
  var distance = 0.0;
  if (FORM != 2u) {
    let shift = select(0.0, log(max(p_out, 1e-37)), FORM == 1u);
    for (var j = lane; j < params.width; j += WG) {
      let p = exp_or_nan(logp[before + j]);
      if ((p > 0.0 || is_nan(p)) && !is_answer(row, j)) {
        distance += weight * p * ((logp[before + j] - shift) - (x[start + j] - base));
      }
    }
  }
  distance = workgroup_sum(distance, lane);
  if (lane != 0u) {
    return;
  }
  let place = 5u * row;
  slopes[place + 1u] = base;
  slopes[place + 3u] = lse_in;
  if (FORM == 0u) {
    // p = 0 adds nothing.
    let answers = p_in * (log(max(p_in, 1e-37)) - (lse_in - lse));
    value[row] = distance + select(answers, 0.0, p_in == 0.0);
    slopes[place] = 1.0;
    slopes[place + 2u] = -1.0;
    slopes[place + 4u] = q_in - p_in;
  }
  if (FORM == 1u) {
    value[row] = nan_where(spoilt, distance);
    slopes[place] = 1.0;
    slopes[place + 2u] = -weight;
    slopes[place + 4u] = 0.0;
  }
  if (FORM == 2u) {
    let drift = q_in - p_in;
    value[row] = select(abs(drift), drift, is_nan(drift));
    // At equality the slope is 0.
    let side = select(sign(drift), drift, is_nan(drift));
    slopes[place] = -side * q_in;
    slopes[place + 2u] = 0.0;
    slopes[place + 4u] = side * q_in * q_out;
  }
}
