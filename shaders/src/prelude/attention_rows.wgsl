// What the softmax of attention's rows is told, and how many keys a row may see.
struct Params {
  rows: u32,
  heads: u32,
  queries: u32,
  keys: u32,
  // absolute position of query 0
  past: u32,
  // 1: lengths is read
  masked: u32,
  // 1: a row of nothing but −∞ is 0, else NaN
  empty: u32,
}

fn keys_seen(row: u32) -> u32 {
  let end = min(params.keys, params.past + row % params.queries + 1u);
  return select(end, min(end, lengths[row / (params.queries * params.heads)]), params.masked == 1u);
}

// 1 / Σ for a finished sum of terms: NaN for one that is spoilt, 0 or NaN for a row of nothing but −∞.
fn inverse_sum(total: f32) -> f32 {
  let nothing = total == 0.0;
  return nan_where(nothing && params.empty == 0u, select(1.0 / softmax_sum(total), 0.0, nothing));
}
