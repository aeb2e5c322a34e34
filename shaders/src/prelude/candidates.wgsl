// Candidates of a selection over a batch, in lists by rising place: each a stretch of a row of a tile, or what is left of one in tiles before.
// The uniforms of its kernels, and what a list holds; beside prelude positive. Needs in the kernel
//   source [rows, stride], a tile as bits of f32
//   allowed [features]: with `override MASKED: bool`, only columns with a number other than 0 compete
//   entries [lists, room, 2] of column and key, and lengths [lists]; a list that has more than room for is read from the tile again.
//   With room 0 they lie without gaps, list l from lengths[l] to lengths[l + 1].
struct Params {
  lists: u32,
  // list of the batch that list 0 is
  first: u32,
  room: u32,
  features: u32,
  stride: u32,
  // of the three digits, the one that is counted
  round: u32,
}

// Neighbours of a row that share a maximum, and runs to a list.
const RUN: u32 = 16u;
const LIST_RUNS: u32 = 64u;

fn runs_of_row() -> u32 {
  return (params.features + RUN - 1u) / RUN;
}

fn lists_of_row() -> u32 {
  return (runs_of_row() + LIST_RUNS - 1u) / LIST_RUNS;
}

// First column of a list.
fn column_of(list: u32) -> u32 {
  return (list % lists_of_row()) * LIST_RUNS * RUN;
}

fn key_at(row: u32, column: u32) -> u32 {
  if (MASKED && allowed[column] == 0u) {
    return 0u;
  }
  return positive_key(source[row * params.stride + column]);
}
