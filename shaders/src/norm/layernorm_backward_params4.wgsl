// partial[chunk] = (Σ_{row in chunk} dy · x̂, Σ_{row in chunk} dy),  x̂ = (x − μ) r, four columns a lane; summing over chunks makes (dγ, dβ)
// x [rows, width], width a multiple of 4
// stats [rows, 2]: μ, r
// dy [rows, width]
// partial [chunks, 2, width]
struct Params {
  rows: u32,
  width: u32,
  // rows summed by one lane
  chunk: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> stats: array<vec2f>;
@group(0) @binding(2) var<storage, read> dy: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layernorm_backward_params4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let count = params.width / 4u;
  let chunk = i / count;
  let first = chunk * params.chunk;
  if (first >= params.rows) {
    return;
  }
  let col = i % count;
  var d_gamma = vec4f();
  var d_beta = vec4f();
  for (var row = first; row < min(params.rows, first + params.chunk); row++) {
    let g = dy[row * count + col];
    let stat = stats[row];
    d_gamma += g * ((x[row * count + col] - stat.x) * stat.y);
    d_beta += g;
  }
  partial[2u * chunk * count + col] = d_gamma;
  partial[(2u * chunk + 1u) * count + col] = d_beta;
}
