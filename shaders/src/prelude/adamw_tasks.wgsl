// The uniforms of AdamW's kernels by task: elements [offset, offset + size) of a parameter, `width` to a task; task n's gradient is clipped by factors[factor_index + n · factor_stride].
// gain = 1 − β comes from the host: 1 − f32(0.999) would be off by 10⁻⁵.
struct Params {
  size: u32,
  offset: u32,
  width: u32,
  factor_index: u32,
  factor_stride: u32,
  beta1: f32,
  beta2: f32,
  gain1: f32,
  gain2: f32,
  epsilon: f32,
}
