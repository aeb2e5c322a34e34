// dx = r (g − Σ g / C − x̂ Σ g x̂ / C),  g = dy · γ,  x̂ = (x − μ) r; one workgroup a row
// uses: reduce
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
fn layernorm_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.width;
  let mean = stats[2u * row];
  let rstd = stats[2u * row + 1u];
  var sum_g = 0.0;
  var sum_gx = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    let g = dy[base + j] * gamma[j];
    sum_g += g;
    sum_gx += g * (x[base + j] - mean) * rstd;
  }
  let mean_g = workgroup_sum(sum_g, lane) / f32(params.width);
  let mean_gx = workgroup_sum(sum_gx, lane) / f32(params.width);
  for (var j = lane; j < params.width; j += WG) {
    let hat = (x[base + j] - mean) * rstd;
    dx[base + j] = rstd * (dy[base + j] * gamma[j] - mean_g - hat * mean_gx);
  }
}
