// bins[d] += #{candidates whose key begins with the digits found so far and goes on with d}
// uses: positive, digits
// source [rows, stride], bits of f32; or, listed, entries [size, 2] of column and bits
// allowed [features]: where masked, only columns with a number other than 0 are candidates
// list_starts [listed + 1]: how many entries there are, if listed
// state [2]: the digits found so far
// histogram [2048], 0 before round 0
struct Params {
  size: u32,
  features: u32,
  stride: u32,
  masked: u32,
  // rows of a list, 0 for a matrix
  listed: u32,
  round: u32,
  // candidates to a workgroup
  each: u32,
}

override WG: u32 = 256u;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> list_starts: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> histogram: array<atomic<u32>>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_histogram(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * params.each;
  if (first >= params.size) {
    return;
  }
  var size = params.size;
  if (params.listed > 0u) {
    size = min(size, list_starts[params.listed]);
  }
  var prefix = 0u;
  if (params.round > 0u) {
    prefix = state[0];
  }
  clear_bins(lane);
  for (var i = first + lane; i < min(first + params.each, size); i += WG) {
    var key = 0u;
    if (params.listed > 0u) {
      key = source[2u * i + 1u];
    } else {
      let column = i % params.features;
      if (params.masked == 0u || allowed[column] != 0u) {
        key = positive_key(source[i / params.features * params.stride + column]);
      }
    }
    count_digit(key, prefix, params.round);
  }
  workgroupBarrier();
  for (var b = lane; b < BINS; b += WG) {
    let count = atomicLoad(&bins[b]);
    if (count > 0u) {
      atomicAdd(&histogram[b], count);
    }
  }
}
