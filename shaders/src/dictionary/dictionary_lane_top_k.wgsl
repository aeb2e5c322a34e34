// picks[n] = (v, h[n, v]) of the k largest positive h[n, :], by rising v; of equal ones those with lower v; counts[n] = how many; one lane a row, where barriers are dear
// uses: positive
// h [rows, stride], bits of f32
// allowed [features]: where MASKED, only v with a number other than 0 may be selected
// picks […, pick_stride, 2] from row `first` on; has room for more than k
// counts […] from row `first` on
struct Params {
  rows: u32,
  features: u32,
  stride: u32,
  k: u32,
  first: u32,
  pick_stride: u32,
  // features to a run, a multiple of 8, at most MOST_RUNS runs
  run: u32,
}

override WG: u32 = 64u;
// Whether `allowed` counts.
override MASKED: bool = false;

@group(0) @binding(0) var<storage, read> h: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read_write> picks: array<u32>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

const MOST_RUNS: u32 = 128u;

fn candidate(start: u32, v: u32) -> u32 {
  if (MASKED && allowed[v] == 0u) {
    return 0u;
  }
  return positive_key(h[start + v]);
}

@compute @workgroup_size(WG)
fn dictionary_lane_top_k(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.stride;
  let out = (params.first + row) * params.pick_stride;
  // The k-th largest of the maxima of runs has at least k numbers at or above it, and few more: the largest of all are seldom in one run.
  var maxima: array<u32, MOST_RUNS>;
  var runs = 0u;
  for (var begin = 0u; begin < params.features; begin += params.run) {
    let to = min(begin + params.run, params.features);
    var best = 0u;
    // Eight at a time; the last one again where there are fewer.
    for (var v = begin; v < to; v += 8u) {
      // repeat r 0..8
      best = max(best, candidate(start, min(v + $(r)u, to - 1u)));
      // end repeat
    }
    maxima[runs] = best;
    runs += 1u;
  }
  // Its upper 15 bits will do: a lower bound.
  var bound = 0u;
  for (var shift = 28u; runs >= params.k && shift >= 16u; shift -= 4u) {
    // repeat r 1..16
    var count$r = 0u;
    // end repeat
    for (var j = 0u; j < runs; j += 1u) {
      let key = maxima[j];
      // repeat r 1..16
      count$r += select(0u, 1u, key >= bound + ($(r)u << shift));
      // end repeat
    }
    var digit = 0u;
    // repeat r 1..16
    digit = select(digit, $(r)u, count$r >= params.k);
    // end repeat
    bound += digit << shift;
  }
  bound = max(bound, 1u);
  var listed = 0u;
  for (var j = 0u; ; j += 1u) {
    // This lane's next run with something to list; other lanes may be at others.
    while (j < runs && maxima[j] < bound) {
      j += 1u;
    }
    if (j >= runs) {
      break;
    }
    let to = min((j + 1u) * params.run, params.features);
    for (var v = j * params.run; v < to; v += 8u) {
      // repeat r 0..8
      let key$r = select(0u, candidate(start, min(v + $(r)u, to - 1u)), v + $(r)u < to);
      // end repeat
      // Seldom is one of eight among the largest.
      let most = max(max(max(key0, key1), max(key2, key3)), max(max(key4, key5), max(key6, key7)));
      if (most >= bound) {
        // repeat r 0..8
        if (key$r >= bound) { if (listed < params.pick_stride) { picks[2u * (out + listed)] = v + $(r)u; picks[2u * (out + listed) + 1u] = key$r; } listed += 1u; }
        // end repeat
      }
    }
  }
  // Where the list has no room for them all, the row itself is looked through.
  let whole = listed > params.pick_stride;
  let count = select(listed, params.features, whole);
  if (listed > params.k) {
    var key = 0u;
    var above = 0u;
    for (var level = 0u; level < 8u; level += 1u) {
      let shift = 28u - 4u * level;
      // repeat r 1..16
      var count$r = 0u;
      // end repeat
      for (var j = 0u; j < count; j += 1u) {
        var own = 0u;
        if (whole) {
          own = candidate(start, j);
        } else {
          own = picks[2u * (out + j) + 1u];
        }
        // repeat r 1..16
        count$r += select(0u, 1u, own >= key + ($(r)u << shift));
        // end repeat
      }
      var digit = 0u;
      // repeat r 1..16
      digit = select(digit, $(r)u, count$r >= params.k);
      above = max(above, select(count$r, 0u, count$r >= params.k));
      // end repeat
      key += digit << shift;
    }
    var ties = params.k - above;
    listed = 0u;
    for (var j = 0u; j < count; j += 1u) {
      var v = j;
      var own = 0u;
      if (whole) {
        own = candidate(start, j);
      } else {
        v = picks[2u * (out + j)];
        own = picks[2u * (out + j) + 1u];
      }
      let equal = own == key;
      if (own > key || (equal && ties > 0u)) {
        picks[2u * (out + listed)] = v;
        picks[2u * (out + listed) + 1u] = own;
        listed += 1u;
        ties -= select(0u, 1u, equal);
      }
    }
  }
  counts[params.first + row] = listed;
}
