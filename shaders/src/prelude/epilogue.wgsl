// What every matmul kernel does with a finished sum s = Σ_k A B at (row, col) of batch item (outer, inner):
// v = alpha s + bias[col];  pre = v and v = gelu(v) if asked;  v += residual;  v += c if accumulating;  c = v.
// Reads the kernel's params and its bindings bias, residual, c, pre; residual, pre and c share one layout.
const FLAG_BIAS = 1u;
const FLAG_RESIDUAL = 2u;
const FLAG_ACCUMULATE = 4u;

fn c_index(outer: u32, inner: u32, split: u32, row: u32, col: u32) -> u32 {
  return params.c_offset + outer * params.c_outer + inner * params.c_inner + split * params.c_split + row * params.c_row + col;
}
