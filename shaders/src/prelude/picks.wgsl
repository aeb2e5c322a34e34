// Writes the candidates of a row above a key, and the first few of those that have it, in their order; beside prelude digits, whose bins become bits.
// Needs `fn key_of(at: u32) -> u32` and `fn write_pick(at: u32, place: u32)` in the kernel; call in uniform control flow with every lane.
// Words of 32 candidates in one round: half of the bins for what lies above the key, half for what is equal.
const PICK_WORDS: u32 = 1024u;

fn mark_pick(own: u32, key: u32, place: u32) {
  if (own != 0u && own >= key) {
    atomicOr(&bins[select(0u, PICK_WORDS, own == key) + place / 32u], 1u << (place % 32u));
  }
}

// Candidates begin ≤ at < end; places from `out` on. Returns how many were written.
fn write_picks(begin: u32, end: u32, key: u32, ties: u32, out: u32, lane: u32) -> u32 {
  var above = 0u;
  var equal = 0u;
  for (var start = begin; start < end; start += 32u * PICK_WORDS) {
    let to = min(end, start + 32u * PICK_WORDS);
    let words = (to - start + 31u) / 32u;
    workgroupBarrier();
    for (var w = lane; w < words; w += WG) {
      atomicStore(&bins[w], 0u);
      atomicStore(&bins[PICK_WORDS + w], 0u);
    }
    workgroupBarrier();
    // Four at a time, the last one again where there are fewer: seldom is one of them picked.
    for (var at = start + lane; at < to; at += 4u * WG) {
      let first = key_of(at);
      let second = key_of(min(at + WG, to - 1u));
      let third = key_of(min(at + 2u * WG, to - 1u));
      let fourth = key_of(min(at + 3u * WG, to - 1u));
      if (max(max(first, second), max(third, fourth)) >= key) {
        mark_pick(first, key, at - start);
        mark_pick(second, key, min(at + WG, to - 1u) - start);
        mark_pick(third, key, min(at + 2u * WG, to - 1u) - start);
        mark_pick(fourth, key, min(at + 3u * WG, to - 1u) - start);
      }
    }
    workgroupBarrier();
    // Each lane writes a run of words, once it knows how many come before: those above in the upper half of a sum.
    let each = (words + WG - 1u) / WG;
    let first_word = min(lane * each, words);
    let last_word = min(first_word + each, words);
    var own = 0u;
    for (var w = first_word; w < last_word; w += 1u) {
      own += (countOneBits(atomicLoad(&bins[w])) << 16u) + countOneBits(atomicLoad(&bins[PICK_WORDS + w]));
    }
    let before = sums_up_to(own, lane) - own;
    var above_here = above + (before >> 16u);
    var equal_here = equal + (before & 0xffffu);
    for (var w = first_word; w < last_word; w += 1u) {
      let over = atomicLoad(&bins[w]);
      for (var rest = over | atomicLoad(&bins[PICK_WORDS + w]); rest != 0u; rest &= rest - 1u) {
        let bit = firstTrailingBit(rest);
        let is_over = ((over >> bit) & 1u) == 1u;
        if (is_over || equal_here < ties) {
          write_pick(start + 32u * w + bit, out + above_here + min(equal_here, ties));
        }
        above_here += select(0u, 1u, is_over);
        equal_here += select(1u, 0u, is_over);
      }
    }
    above += lane_sums[WG - 1u] >> 16u;
    equal += lane_sums[WG - 1u] & 0xffffu;
  }
  return above + min(equal, ties);
}
