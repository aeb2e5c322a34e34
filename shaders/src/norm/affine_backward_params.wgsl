// partial[chunk] = (Σ_{row in chunk} dy · x, Σ_{row in chunk} dy); summing over chunks makes (dγ, dβ)
// x [rows, width]
// dy [rows, width]
// partial [chunks, 2, width]
struct Params {
  rows: u32,
  width: u32,
  // rows summed by one lane
  chunk: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> partial: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn affine_backward_params(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let chunk = i / params.width;
  let first = chunk * params.chunk;
  if (first >= params.rows) {
    return;
  }
  let col = i % params.width;
  var d_gamma = 0.0;
  var d_beta = 0.0;
  for (var row = first; row < min(params.rows, first + params.chunk); row++) {
    let g = dy[row * params.width + col];
    d_gamma += g * x[row * params.width + col];
    d_beta += g;
  }
  partial[2u * chunk * params.width + col] = d_gamma;
  partial[(2u * chunk + 1u) * params.width + col] = d_beta;
}
