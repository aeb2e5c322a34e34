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
