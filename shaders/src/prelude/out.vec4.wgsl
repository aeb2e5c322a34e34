// Results as vec4f: n and all offsets and distances of c, pre, bias and residual are multiples of 4. Goes with prelude/epilogue.
alias Out = vec4f;

// Four neighbours of a row, all of which exist unless `columns` is 0.
fn store_four(at: u32, inner: u32, col: u32, columns: u32, sums: vec4f) {
  if (columns == 0u) {
    return;
  }
  var value = params.alpha * sums;
  if ((params.flags & FLAG_BIAS) != 0u) {
    value += bias[(params.bias_offset + inner * params.bias_inner + col) / 4u];
  }
  if (params.gelu != 0u) {
    pre[at / 4u] = value;
    for (var i = 0u; i < 4u; i++) {
      value[i] = gelu(value[i], params.gelu);
    }
  }
  if ((params.flags & FLAG_RESIDUAL) != 0u) {
    value += residual[at / 4u];
  }
  if ((params.flags & FLAG_ACCUMULATE) != 0u) {
    value += c[at / 4u];
  }
  c[at / 4u] = value;
}
