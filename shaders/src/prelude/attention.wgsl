// What causal attention is told: sizes of q [batch, queries, heads, HEAD] and of k and v [batch, keys, heads, HEAD].
struct Params {
  batch: u32,
  heads: u32,
  queries: u32,
  keys: u32,
  // absolute position of query 0
  past: u32,
  masked: u32,
  scale: f32,
}
