// dx[n, v] = dy[n] · (a · exp(x − base_out) + b · P_v) for v outside the answers, dy[n] · c · exp(x − base_in) for an answer
// uses: nan, row_run
// logp [refs, width], log-probabilities
// x [rows, width], logits
// ids [rows, picks], the answers
// slopes [rows, 5]: a, base_out, b, base_in, c
// dy [rows]
// dx [rows, width], size = rows · width
struct Params {
  rows: u32,
  width: u32,
  // numbers of a row that a workgroup takes
  run: u32,
  refs: u32,
  picks: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> logp: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> slopes: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn bucket_divergence_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let at = row_run(group, groups);
  if (at.row >= params.rows) {
    return;
  }
  let before = (at.row % params.refs) * params.width;
  let place = 5u * at.row;
  let slope = dy[at.row];
  let gain = slopes[place];
  let base_out = slopes[place + 1u];
  let weight = slopes[place + 2u];
  let base_in = slopes[place + 3u];
  let inside = slopes[place + 4u];
  for (var j = at.first + lane; j < at.end; j += WG) {
    let i = at.start + j;
    var is_answer = false;
    for (var a = 0u; a < params.picks; a++) {
      is_answer |= ids[at.row * params.picks + a] == j;
    }
    if (is_answer) {
      dx[i] = slope * inside * exp_or_nan(x[i] - base_in);
    } else {
      dx[i] = slope * (gain * exp_or_nan(x[i] - base_out) + weight * exp_or_nan(logp[before + j]));
    }
  }
}
