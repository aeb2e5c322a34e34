// Results as f32, one by one: c, pre, bias and residual may lie anywhere. Goes with prelude/epilogue.
alias Out = f32;

fn store_c(at: u32, inner: u32, col: u32, sum: f32) {
  var value = params.alpha * sum;
  if ((params.flags & FLAG_BIAS) != 0u) {
    value += bias[params.bias_offset + inner * params.bias_inner + col];
  }
  if (params.gelu != 0u) {
    pre[at] = value;
    value = gelu(value, params.gelu);
  }
  if ((params.flags & FLAG_RESIDUAL) != 0u) {
    value += residual[at];
  }
  if ((params.flags & FLAG_ACCUMULATE) != 0u) {
    value += c[at];
  }
  c[at] = value;
}

// Four neighbours of a row of which the first `columns` exist.
fn store_four(at: u32, inner: u32, col: u32, columns: u32, sums: vec4f) {
  if (columns >= 4u && params.gelu == 0u && (params.flags & (FLAG_RESIDUAL | FLAG_ACCUMULATE)) == 0u) {
    var value = params.alpha * sums;
    if ((params.flags & FLAG_BIAS) != 0u) {
      let b = params.bias_offset + inner * params.bias_inner + col;
      value += vec4f(bias[b], bias[b + 1u], bias[b + 2u], bias[b + 3u]);
    }
    c[at] = value.x;
    c[at + 1u] = value.y;
    c[at + 2u] = value.z;
    c[at + 3u] = value.w;
    return;
  }
  for (var i = 0u; i < min(4u, columns); i++) {
    store_c(at + i, inner, col + i, sums[i]);
  }
}
