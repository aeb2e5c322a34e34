// dx[n, v] = dy[n] · (a · exp(x − base_out) + b · P_v) for v outside the answers, dy[n] · c · exp(x − base_in) for an answer
// uses: nan
// logp [refs, width], log-probabilities
// x [rows, width], logits
// ids [rows, picks], the answers
// slopes [rows, 5]: a, base_out, b, base_in, c
// dy [rows]
// dx [rows, width], size = rows · width
struct Params {
  size: u32,
  refs: u32,
  width: u32,
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
fn bucket_divergence_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let row = i / params.width;
  let token = i % params.width;
  let place = 5u * row;
  for (var a = 0u; a < params.picks; a++) {
    if (ids[row * params.picks + a] == token) {
      dx[i] = dy[row] * slopes[place + 4u] * exp_or_nan(x[i] - slopes[place + 3u]);
      return;
    }
  }
  let p = exp_or_nan(logp[(row % params.refs) * params.width + token]);
  dx[i] = dy[row] * (slopes[place] * exp_or_nan(x[i] - slopes[place + 1u]) + slopes[place + 2u] * p);
}
