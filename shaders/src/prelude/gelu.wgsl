// gelu(x) = ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))) (form 1, GPT-2's gelu_new) or ½ x (1 + erf(x / √2)) (form 2), and their derivatives.
const GELU_TANH = 1u;
const GELU_ERF = 2u;
const SQRT_2_OVER_PI = 0.7978845608028654;
const SQRT_HALF = 0.7071067811865476;
const INV_SQRT_2PI = 0.3989422804014327;

// ½ (1 + tanh z) = 1 / (1 + exp(−2z)): relatively exact in both tails; the clamp keeps exp finite (the built-in tanh may be 1e-5 off).
fn half_one_plus_tanh(z: f32) -> f32 {
  return 1.0 / (1.0 + exp(min(-2.0 * z, 80.0)));
}

// erf by Abramowitz & Stegun 7.1.26: |error| ≤ 1.5e-7 absolute, before f32 rounding.
fn erf_by_exp(z: f32) -> f32 {
  let a = abs(z);
  let t = 1.0 / (1.0 + 0.3275911 * a);
  let poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
  return sign(z) * (1.0 - poly * exp(-a * a));
}

fn gelu(x: f32, form: u32) -> f32 {
  if (form == GELU_ERF) {
    return 0.5 * x * (1.0 + erf_by_exp(SQRT_HALF * x));
  }
  return x / (1.0 + exp(min(-2.0 * SQRT_2_OVER_PI * (x + 0.044715 * x * x * x), 80.0)));
}

fn gelu4(x: vec4f, form: u32) -> vec4f {
  return vec4f(gelu(x.x, form), gelu(x.y, form), gelu(x.z, form), gelu(x.w, form));
}

fn gelu_slope(x: f32, form: u32) -> f32 {
  if (form == GELU_ERF) {
    return 0.5 * (1.0 + erf_by_exp(SQRT_HALF * x)) + x * INV_SQRT_2PI * exp(-0.5 * x * x);
  }
  // tanh′ = 4 s (1 − s) for s = ½ (1 + tanh).
  let s = half_one_plus_tanh(SQRT_2_OVER_PI * (x + 0.044715 * x * x * x));
  return s + 2.0 * x * s * (1.0 - s) * SQRT_2_OVER_PI * (1.0 + 0.134145 * x * x);
}

fn gelu_slope4(x: vec4f, form: u32) -> vec4f {
  return vec4f(gelu_slope(x.x, form), gelu_slope(x.y, form), gelu_slope(x.z, form), gelu_slope(x.w, form));
}
