// bins[d] += #{candidates whose key begins with the digits found so far and goes on with d}
// uses: positive, digits
// source [rows, stride], bits of f32; or, listed, entries [.., 2] of column and bits
// allowed [features]: where masked, only columns with a number other than 0 are candidates
// list_starts [rows + 1]: where each row's entries begin, if listed
// state [2]: the digits found so far
// histogram [2048], 0 before round 0
struct Params {
  rows: u32,
  features: u32,
  stride: u32,
  listed: u32,
  round: u32,
  // rows to a workgroup
  each: u32,
  masked: u32,
}

override WG: u32 = 256u;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> list_starts: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> histogram: array<atomic<u32>>;
@group(0) @binding(5) var<uniform> params: Params;

fn key_of(start: u32, column: u32) -> u32 {
  if (params.masked != 0u && allowed[column] == 0u) {
    return 0u;
  }
  return positive_key(source[start + column]);
}

@compute @workgroup_size(WG)
fn dictionary_histogram(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * params.each;
  if (first >= params.rows) {
    return;
  }
  let end = min(first + params.each, params.rows);
  var prefix = 0u;
  if (params.round > 0u) {
    prefix = state[0];
  }
  clear_bins(lane);
  if (params.listed > 0u) {
    for (var e = list_starts[first] + lane; e < list_starts[end]; e += WG) {
      count_digit(source[2u * e + 1u], prefix, params.round);
    }
  } else {
    let last = params.features - 1u;
    let shift = digit_shift(params.round) + digit_bits(params.round);
    for (var row = first; row < end; row += 1u) {
      let start = row * params.stride;
      for (var v = lane; v <= last; v += 4u * WG) {
        // repeat r 0..4
        let key$r = select(0u, key_of(start, min(v + $(r)u * WG, last)), v + $(r)u * WG <= last);
        // end repeat
        // Seldom does one of four begin with the digits found so far.
        if (max(max(key0, key1), max(key2, key3)) >> shift >= prefix) {
          // repeat r 0..4
          count_digit(key$r, prefix, params.round);
          // end repeat
        }
      }
    }
  }
  workgroupBarrier();
  for (var b = lane; b < BINS; b += WG) {
    let count = atomicLoad(&bins[b]);
    if (count > 0u) {
      atomicAdd(&histogram[b], count);
    }
  }
}
