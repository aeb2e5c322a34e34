// Σ_j exp(x_j − top) in which a NaN or +∞ shows, and its logarithm. Such an x is told by its bits and counts −10³⁰: the sum of
// its row is negative, whatever else is in it, and no arithmetic meets a NaN that it might lose. Uses prelude/nan.wgsl.

// Where a maximum starts: below it is −∞ alone, which stays a term of 0.
const LOWEST = -3.4028234e38;

fn softmax_term(x: f32, top: f32) -> f32 {
  return select(exp(x - top), -1e30, is_nan(x) | (bitcast<u32>(x) == 0x7f800000u));
}

// A finished sum; NaN (by bits: negative, infinite or NaN) if a term was spoilt.
fn softmax_sum(total: f32) -> f32 {
  return nan_where(bitcast<u32>(total) >= 0x7f800000u, total);
}

// Its logarithm; NaN also for 0, a row of −∞ alone.
fn softmax_log(total: f32) -> f32 {
  return nan_where(bitcast<u32>(total) - 1u >= 0x7f7fffffu, log(total));
}

// Whether one of many numbers is NaN or +∞, from the largest of their bits as i32 and as u32, which no adapter can lose.
fn spoilt(as_i32: vec4i, as_u32: vec4u) -> bool {
  return any(as_i32 >= vec4i(0x7f800000)) || any(as_u32 > vec4u(0xff800000u));
}
