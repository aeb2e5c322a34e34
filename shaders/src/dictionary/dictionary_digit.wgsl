// state = (digits found so far and one more, how many are needed of what begins with them), from the counts of the digits that may follow; one workgroup
// uses: digits
// histogram [2048], from dictionary_histogram; 0 after
// state [2]
struct Params {
  round: u32,
  // how many are wanted at first
  wanted: u32,
}

override WG: u32 = 256u;

@group(0) @binding(0) var<storage, read_write> histogram: array<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_digit(@builtin(local_invocation_index) lane: u32) {
  var prefix = 0u;
  var needed = params.wanted;
  if (params.round > 0u) {
    prefix = state[0];
    needed = state[1];
  }
  for (var b = lane; b < BINS; b += WG) {
    atomicStore(&bins[b], histogram[b]);
    histogram[b] = 0u;
  }
  let found = find_digit(needed, lane);
  if (lane == 0u) {
    state[0] = select((prefix << digit_bits(params.round)) | found.x, NO_DIGIT, found.x == NO_DIGIT);
    state[1] = found.y;
  }
}
