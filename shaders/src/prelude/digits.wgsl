// Counts of digits of u32 keys in workgroup memory, and the digit of the needed-th largest: from the highest digit down they spell its key.
// Needs `override WG: u32` (a power of two up to 256) in the kernel; call in uniform control flow with every lane.
const BINS: u32 = 2048u;
const NO_DIGIT: u32 = 0xffffffffu;

var<workgroup> bins: array<atomic<u32>, BINS>;
var<workgroup> lane_sums: array<u32, WG>;
var<workgroup> found_digit: u32;
var<workgroup> found_left: u32;

// Bits of round 0, 1 and 2: 11, 10 and 10 make the 31 of a positive number.
fn digit_bits(round: u32) -> u32 {
  return select(10u, 11u, round == 0u);
}

fn digit_shift(round: u32) -> u32 {
  return 20u - 10u * round;
}

fn clear_bins(lane: u32) {
  workgroupBarrier();
  for (var b = lane; b < BINS; b += WG) {
    atomicStore(&bins[b], 0u);
  }
  workgroupBarrier();
}

fn count_digit(key: u32, prefix: u32, round: u32) {
  let bits = digit_bits(round);
  let rest = key >> digit_shift(round);
  if (key != 0u && rest >> bits == prefix) {
    atomicAdd(&bins[rest & ((1u << bits) - 1u)], 1u);
  }
}

// Inclusive sums of `own` over the lanes up to this one.
fn sums_up_to(own: u32, lane: u32) -> u32 {
  lane_sums[lane] = own;
  workgroupBarrier();
  for (var reach = 1u; reach < WG; reach *= 2u) {
    let more = select(0u, lane_sums[max(lane, reach) - reach], lane >= reach);
    workgroupBarrier();
    lane_sums[lane] += more;
    workgroupBarrier();
  }
  return lane_sums[lane];
}

// The digit of the needed-th largest and how many are needed among those that have it; NO_DIGIT where fewer were counted.
fn find_digit(needed: u32, lane: u32) -> vec2u {
  let each = BINS / WG;
  workgroupBarrier();
  // Lane 0 has the highest digits.
  var own = 0u;
  for (var b = 0u; b < each; b += 1u) {
    own += atomicLoad(&bins[BINS - 1u - lane * each - b]);
  }
  if (lane == 0u) {
    found_digit = NO_DIGIT;
    found_left = needed;
  }
  let sum = sums_up_to(own, lane);
  var above = sum - own;
  if (above < needed && sum >= needed) {
    for (var b = 0u; b < each; b += 1u) {
      let place = BINS - 1u - lane * each - b;
      let count = atomicLoad(&bins[place]);
      if (above + count >= needed) {
        found_digit = place;
        found_left = needed - above;
        break;
      }
      above += count;
    }
  }
  workgroupBarrier();
  return vec2u(found_digit, found_left);
}
