// ids[n] = the first kept v with Σ_{kept w ≤ v} exp(x[n, w]) > u · Σ_{kept w} exp(x[n, w]),  u = 2⁻²⁴ · (word draws[n] of the Philox stream ≫ 8)
// uses: reduce, order, random
// x [rows, width]
// thresholds [rows, 2]: key and ties of sampling_threshold; read where limited = 1
// draws [rows, 2]: stream and index of the random number
// ids [rows]
struct Params {
  rows: u32,
  width: u32,
  limited: u32,
  seed_low: u32,
  seed_high: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> thresholds: array<u32>;
@group(0) @binding(2) var<storage, read> draws: array<u32>;
@group(0) @binding(3) var<storage, read_write> ids: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

var<workgroup> lane_ties: array<u32, WG>;
var<workgroup> lane_mass: array<f32, WG>;
var<workgroup> chosen_lane: u32;
var<workgroup> chosen_from: f32;
var<workgroup> chosen_target: f32;

// Every lane has a run of neighbouring tokens; their sums are added in the order of the lanes.
@compute @workgroup_size(WG)
fn sample_token(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  let run = (params.width + WG - 1u) / WG;
  let begin = min(lane * run, params.width);
  let end = min(begin + run, params.width);
  var key = 0u;
  var ties = 0xffffffffu;
  if (params.limited == 1u) {
    key = thresholds[2u * row];
    ties = thresholds[2u * row + 1u];
  }
  var top = -3.4028234e38;
  var own_ties = 0u;
  for (var v = begin; v < end; v += 1u) {
    let value = x[start + v];
    top = max(top, value);
    own_ties += select(0u, 1u, order_key(value) == key);
  }
  top = workgroup_max(top, lane);
  lane_ties[lane] = own_ties;
  workgroupBarrier();
  var ties_before = 0u;
  for (var other = 0u; other < lane; other += 1u) {
    ties_before += lane_ties[other];
  }
  var mass = 0.0;
  var tie = ties_before;
  for (var v = begin; v < end; v += 1u) {
    let value = x[start + v];
    let own = order_key(value);
    let tied = own == key;
    mass += select(0.0, exp(value - top), own > key || (tied && tie < ties));
    tie += select(0u, 1u, tied);
  }
  lane_mass[lane] = mass;
  workgroupBarrier();
  if (lane == 0u) {
    var total = 0.0;
    for (var other = 0u; other < WG; other += 1u) {
      total += lane_mass[other];
    }
    let word = random_word(vec2u(params.seed_low, params.seed_high), draws[2u * row], draws[2u * row + 1u]);
    let target_mass = f32(word >> 8u) * 5.9604645e-8 * total;
    var sum = 0.0;
    var chosen = 0u;
    var from_mass = 0.0;
    var found = false;
    for (var other = 0u; other < WG; other += 1u) {
      // If rounding leaves the target out of reach, the last lane with any mass has it.
      if (!found && lane_mass[other] > 0.0) {
        chosen = other;
        from_mass = sum;
        found = sum + lane_mass[other] > target_mass;
      }
      sum += lane_mass[other];
    }
    chosen_lane = chosen;
    chosen_from = from_mass;
    chosen_target = target_mass;
  }
  workgroupBarrier();
  if (lane != chosen_lane) {
    return;
  }
  // A row that cannot be drawn from, such as one with NaN, has a number all the same.
  var id = 0u;
  var sum = chosen_from;
  tie = ties_before;
  for (var v = begin; v < end && sum <= chosen_target; v += 1u) {
    let value = x[start + v];
    let own = order_key(value);
    let tied = own == key;
    let weight = select(0.0, exp(value - top), own > key || (tied && tie < ties));
    tie += select(0u, 1u, tied);
    sum += weight;
    if (weight > 0.0) {
      id = v;
    }
  }
  ids[row] = id;
}
