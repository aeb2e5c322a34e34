// thresholds[n] = (key, ties): by falling x and rising place, the first top_k tokens, and of these the fewest with top_p of their mass Σ exp(x)
// uses: reduce, order
// x [rows, width]
// thresholds [rows, 2]: kept are the tokens above the key in order, and of those at the key the first `ties`
struct Params {
  rows: u32,
  width: u32,
  // width or more: no limit
  top_k: u32,
  // 1 or more: no limit
  top_p: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> thresholds: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

const DIGITS: u32 = 16u;
const HALF: u32 = 8u;

// Weights of half of the digits, of every lane; and of all digits, of all lanes.
var<workgroup> parts: array<f32, HALF * WG>;
var<workgroup> sums: array<f32, DIGITS>;

// Both limits are one rule: a token is kept if what comes before it in order weighs less than the limit. The first counts tokens,
// the second adds exp(x − top). The key is found four bits at a time, by the weights of the sixteen digits that may follow.
@compute @workgroup_size(WG)
fn sampling_threshold(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  var top = -3.4028234e38;
  for (var v = lane; v < params.width; v += WG) {
    top = max(top, x[start + v]);
  }
  top = workgroup_max(top, lane);
  var key = 0u;
  var ties = 0xffffffffu;
  var weights: array<f32, DIGITS>;
  for (var round = 0u; round < 2u; round += 1u) {
    let by_mass = round == 1u;
    if (by_mass && params.top_p >= 1.0) {
      continue;
    }
    if (!by_mass && params.top_k >= params.width) {
      continue;
    }
    var limit = f32(params.top_k);
    if (by_mass) {
      var mass = 0.0;
      for (var v = lane; v < params.width; v += WG) {
        let value = x[start + v];
        mass += select(0.0, exp(value - top), order_key(value) > key);
      }
      limit = workgroup_sum(mass, lane);
      if (params.top_k < params.width) {
        limit += f32(ties) * exp(order_value(key) - top);
      }
      limit *= params.top_p;
    }
    var above = 0.0;
    var prefix = 0u;
    for (var shift = 32u; shift > 0u; ) {
      shift -= 4u;
      // Declared in here, without a value, it keeps its numbers from turn to turn: Dawn, on lavapipe and SwiftShader.
      for (var d = 0u; d < DIGITS; d += 1u) {
        weights[d] = 0.0;
      }
      for (var v = lane; v < params.width; v += WG) {
        let value = x[start + v];
        let own = order_key(value);
        // Two shifts, as one of 32 bits is none.
        if (own >= key && (own >> shift) >> 4u == prefix) {
          weights[(own >> shift) & 15u] += select(1.0, exp(value - top), by_mass);
        }
      }
      // Half of the digits at a time, so that the parts of 256 lanes fit; one lane adds up a digit, in the order of the lanes.
      for (var half = 0u; half < DIGITS; half += HALF) {
        for (var d = 0u; d < HALF; d += 1u) {
          parts[lane * HALF + d] = weights[half + d];
        }
        workgroupBarrier();
        for (var d = lane; d < HALF; d += WG) {
          var sum = 0.0;
          for (var other = 0u; other < WG; other += 1u) {
            sum += parts[other * HALF + d];
          }
          sums[half + d] = sum;
        }
        workgroupBarrier();
      }
      var digit = 0u;
      var found = false;
      var sum = above;
      for (var d = DIGITS; d > 0u && !found; ) {
        d -= 1u;
        if (sums[d] > 0.0) {
          // If rounding leaves the limit out of reach, the last digit with any weight stands.
          digit = d;
          above = sum;
          found = sum + sums[d] >= limit;
        }
        sum += sums[d];
      }
      prefix = (prefix << 4u) | digit;
    }
    let weight = select(1.0, exp(order_value(prefix) - top), by_mass);
    var count = 0xffffffffu;
    if (weight > 0.0) {
      count = u32(clamp(ceil((limit - above) / weight), 1.0, 4e9));
    }
    // The second limit narrows the first.
    if (by_mass && prefix == key) {
      count = min(count, ties);
    }
    key = prefix;
    ties = count;
  }
  if (lane == 0u) {
    thresholds[2u * row] = key;
    thresholds[2u * row + 1u] = ties;
  }
}
