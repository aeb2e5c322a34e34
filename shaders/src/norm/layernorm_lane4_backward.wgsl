// dx = r (g − Σ g / C − x̂ Σ g x̂ / C),  g = dy · γ,  x̂ = (x − μ) r; one lane a row, by vec4, where barriers are dear
// x [rows, width], width a multiple of 4
// gamma [width]
// stats [rows, 2]: μ, r
// dy [rows, width]
// dx [rows, width]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

fn sum4(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(WG)
fn layernorm_lane4_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let count = params.width / 4u;
  let base = row * count;
  let mean = stats[row].x;
  let rstd = stats[row].y;
  var sum_g = vec4f();
  var sum_gx = vec4f();
  for (var i = 0u; i < count; i++) {
    let g = dy[base + i] * gamma[i];
    sum_g += g;
    sum_gx += g * (x[base + i] - mean);
  }
  let mean_g = sum4(sum_g) / f32(params.width);
  let mean_gx = sum4(sum_gx) * rstd / f32(params.width);
  for (var i = 0u; i < count; i++) {
    let hat = (x[base + i] - mean) * rstd;
    dx[base + i] = rstd * (dy[base + i] * gamma[i] - mean_g - hat * mean_gx);
  }
}
