// The uniforms of AdamW's kernels: elements [offset, offset + size) of a parameter; factors[factor_index] clips their gradient.
// gain = 1 − β comes from the host: 1 − f32(0.999) would be off by 10⁻⁵.
struct Params {
  size: u32,
  offset: u32,
  factor_index: u32,
  rate: f32,
  beta1: f32,
  beta2: f32,
  gain1: f32,
  gain2: f32,
  epsilon: f32,
  decay: f32,
  correction1: f32,
  correction2: f32,
}
