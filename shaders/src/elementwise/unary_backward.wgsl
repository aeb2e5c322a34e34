// dx = f′(x) · dy, f chosen by FUNCTION: 0 square, 1 sqrt, 2 reciprocal square root, 3 reciprocal, 4 exp, 5 log, 6 relu, 7 sigmoid, 8 tanh, 9 absolute value
// x [size]
// y [size], f(x) as the forward kernel wrote it
// dy [size]
// dx [size]
struct Params {
  size: u32,
}

override WG: u32 = 64u;
override FUNCTION: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> y: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn unary_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let v = x[i];
  let r = y[i];
  var slope = 0.0;
  switch FUNCTION {
    case 0u: { slope = 2.0 * v; }
    case 1u: { slope = 0.5 / r; }
    case 2u: { slope = -0.5 * r * r * r; }
    case 3u: { slope = -r * r; }
    case 4u: { slope = r; }
    case 5u: { slope = 1.0 / v; }
    case 6u: { slope = select(0.0, 1.0, v > 0.0); }
    case 7u: { slope = r * (1.0 - r); }
    case 8u: { slope = 1.0 - r * r; }
    default: { slope = sign(v); }
  }
  dx[i] = slope * dy[i];
}
