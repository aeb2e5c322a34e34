// state = (digits found so far and one more, how many are needed of what begins with them, bound), from the counts of the digits that may follow; in round BOUND the bound, from the highest digits of maxima; one workgroup
// uses: digits
// histogram [2048], from dictionary_maxima or dictionary_histogram; 0 after
// state [3]; before round BOUND the key of the tiles before, 0 or all ones if there is none
struct Params {
  round: u32,
  // how many are wanted at first
  wanted: u32,
}

override WG: u32 = 256u;

@group(0) @binding(0) var<storage, read_write> histogram: array<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

const BOUND: u32 = 3u;

@compute @workgroup_size(WG)
fn dictionary_digit(@builtin(local_invocation_index) lane: u32) {
  let bounding = params.round == BOUND;
  var prefix = 0u;
  var needed = params.wanted;
  if (params.round > 0u && !bounding) {
    prefix = state[0];
    needed = state[1];
  }
  for (var b = lane; b < BINS; b += WG) {
    atomicStore(&bins[b], histogram[b]);
    histogram[b] = 0u;
  }
  let found = find_digit(needed, lane);
  let none = found.x == NO_DIGIT;
  if (lane != 0u) {
    return;
  }
  if (bounding) {
    // At least 1, the least positive key: whatever is not positive never competes.
    let before = select(state[0], 0u, state[0] == NO_DIGIT);
    state[2] = max(max(before, 1u), select(found.x << digit_shift(0u), 0u, none));
  } else {
    state[0] = select((prefix << digit_bits(params.round)) | found.x, NO_DIGIT, none);
    state[1] = found.y;
  }
}
