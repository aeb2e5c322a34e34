// y = (x − μ) · r · γ + β,  μ = Σ x / C,  r = 1 / √(Σ (x − μ)² / C + ε); one lane a row, where barriers are dear
// x [rows, width]
// gamma [width]
// beta [width]
// y [rows, width]
// stats [rows, 2]: μ, r
struct Params {
  rows: u32,
  width: u32,
  eps: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> beta: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<storage, read_write> stats: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layernorm_lane_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.width;
  var sum = 0.0;
  for (var j = 0u; j < params.width; j++) {
    sum += x[base + j];
  }
  let mean = sum / f32(params.width);
  var square = 0.0;
  for (var j = 0u; j < params.width; j++) {
    let d = x[base + j] - mean;
    square += d * d;
  }
  let variance = square / f32(params.width);
  let rstd = 1.0 / sqrt(variance + params.eps);
  for (var j = 0u; j < params.width; j++) {
    y[base + j] = (x[base + j] - mean) * rstd * gamma[j] + beta[j];
  }
  stats[2u * row] = mean;
  stats[2u * row + 1u] = rstd;
}
