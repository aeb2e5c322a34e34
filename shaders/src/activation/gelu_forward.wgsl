// y = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³)))   (form 0, GPT-2's gelu_new)   or   y = ½ x (1 + erf(x / √2))   (form 1)
// x [count]
// y [count]
struct Params {
  count: u32,
  form: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// tanh z = sign(z) (1 − e) / (1 + e), e = exp(−2|z|) ≤ 1: never overflows and keeps the accuracy of exp.
fn tanh_exp(z: f32) -> f32 {
  let e = exp(-2.0 * abs(z));
  return sign(z) * (1.0 - e) / (1.0 + e);
}

// erf by Abramowitz & Stegun 7.1.26, |error| ≤ 1.5e-7.
fn erf_exp(z: f32) -> f32 {
  let a = abs(z);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(z) * (1.0 - poly * exp(-a * a));
}

@compute @workgroup_size(WG)
fn gelu_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.count) {
    return;
  }
  let v = x[i];
  if (params.form == 0u) {
    y[i] = 0.5 * v * (1.0 + tanh_exp(0.7978845608028654 * (v + 0.044715 * v * v * v)));
  } else {
    y[i] = 0.5 * v * (1.0 + erf_exp(0.7071067811865476 * v));
  }
}
