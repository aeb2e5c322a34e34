// A u32 that orders as positive f32 do: the number's bits; 0 for NaN, negative numbers and both zeros, which may never be selected.
fn positive_key(bits: u32) -> u32 {
  return select(0u, bits, bits <= 0x7f800000u);
}
