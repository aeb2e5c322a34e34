// Reads the lists of prelude candidates: `entries` and `lengths` as said there.
struct CandidateList {
  // first entry, or with `whole` first column
  begin: u32,
  length: u32,
  whole: bool,
  row: u32,
}

fn candidate_list(list: u32) -> CandidateList {
  let row = list / lists_of_row();
  if (params.room == 0u) {
    return CandidateList(lengths[list], lengths[list + 1u] - lengths[list], false, row);
  }
  if (lengths[list] <= params.room) {
    return CandidateList(list * params.room, lengths[list], false, row);
  }
  let begin = column_of(list);
  return CandidateList(begin, min(LIST_RUNS * RUN, params.features - begin), true, row);
}

// Column and key of a candidate; key 0 for what is none.
fn candidate(held: CandidateList, j: u32) -> vec2u {
  let at = held.begin + j;
  if (held.whole) {
    return vec2u(at, key_at(held.row, at));
  }
  return vec2u(entries[2u * at], entries[2u * at + 1u]);
}
