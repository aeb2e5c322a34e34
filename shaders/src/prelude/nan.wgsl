// NaN by its bits: WGSL lets an adapter lose one in max, min, exp, log and comparisons, and some do. Sums and products keep it.
fn is_nan(v: f32) -> bool {
  return (bitcast<u32>(v) & 0x7fffffffu) > 0x7f800000u;
}

fn nan_where(lost: bool, v: f32) -> f32 {
  return bitcast<f32>(select(bitcast<u32>(v), 0x7fc00000u, lost));
}

fn exp_or_nan(v: f32) -> f32 {
  return select(exp(v), v, is_nan(v));
}

fn exp_or_nan4(v: vec4f) -> vec4f {
  return select(exp(v), v, (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u));
}
