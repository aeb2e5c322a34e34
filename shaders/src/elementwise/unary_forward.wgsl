// y = f(x), f chosen by FUNCTION: 0 square, 1 sqrt, 2 reciprocal square root, 3 reciprocal, 4 exp, 5 log, 6 relu, 7 sigmoid, 8 tanh, 9 absolute value
// uses: nan
// x [size]
// y [size]
struct Params {
  size: u32,
}

override WG: u32 = 64u;
override FUNCTION: u32 = 0u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// Both branches take exp of a number ≤ 0, so nothing overflows.
fn sigmoid(v: f32) -> f32 {
  let e = exp(-abs(v));
  return select(e, 1.0, v >= 0.0) / (1.0 + e);
}

// tanh z = sign(z) (1 − e) / (1 + e), e = exp(−2|z|): never overflows; a series below 0.1, where 1 − e would cancel.
fn tanh_safe(z: f32) -> f32 {
  if (abs(z) < 0.1) {
    let s = z * z;
    return z * (1.0 - s * (0.33333333 - s * (0.13333333 - s * 0.053968254)));
  }
  let e = exp(-2.0 * abs(z));
  return sign(z) * (1.0 - e) / (1.0 + e);
}

@compute @workgroup_size(WG)
fn unary_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let v = x[i];
  var r = 0.0;
  switch FUNCTION {
    case 0u: { r = v * v; }
    case 1u: { r = sqrt(v); }
    case 2u: { r = 1.0 / sqrt(v); }
    case 3u: { r = 1.0 / v; }
    case 4u: { r = exp(v); }
    case 5u: { r = log(v); }
    case 6u: { r = max(v, 0.0); }
    case 7u: { r = sigmoid(v); }
    case 8u: { r = tanh_safe(v); }
    default: { r = abs(v); }
  }
  y[i] = select(r, v, is_nan(v));
}
