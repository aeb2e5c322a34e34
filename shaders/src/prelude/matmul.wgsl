// What a batched product C = epilogue(alpha · op(A) op(B)) is told: sizes, and where operands and result lie, in elements.
struct Params {
  m: u32,
  n: u32,
  k: u32,
  // batch item z = outer · inner_count + inner
  batch: u32,
  inner_count: u32,
  // terms of k per split
  chunk: u32,
  a_offset: u32,
  a_outer: u32,
  a_inner: u32,
  a_row: u32,
  b_offset: u32,
  b_outer: u32,
  b_inner: u32,
  b_row: u32,
  c_offset: u32,
  c_outer: u32,
  c_inner: u32,
  c_row: u32,
  c_split: u32,
  bias_offset: u32,
  bias_inner: u32,
  alpha: f32,
  // bit 0 bias, 1 residual, 2 accumulate
  flags: u32,
  // 0 none, 1 tanh, 2 erf
  gelu: u32,
}
