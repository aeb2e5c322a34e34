// dx = r (g − Σ g / C − x̂ Σ g x̂ / C),  g = dy · γ,  x̂ = (x − μ) r; one lane a row, where barriers are dear
// x [rows, width]
// gamma [width]
// stats [rows, 2]: μ, r
// dy [rows, width]
// dx [rows, width]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> stats: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dx: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layernorm_lane_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.width;
  let mean = stats[2u * row];
  let rstd = stats[2u * row + 1u];
  // (Σ g, Σ g x̂)
  var sums = vec2f(0.0);
  for (var j = 0u; j < params.width; j++) {
    let g = dy[base + j] * gamma[j];
    sums += vec2f(g, g * (x[base + j] - mean) * rstd);
  }
  let means = sums / f32(params.width);
  for (var j = 0u; j < params.width; j++) {
    let hat = (x[base + j] - mean) * rstd;
    dx[base + j] = rstd * (dy[base + j] * gamma[j] - means.x - hat * means.y);
  }
}
