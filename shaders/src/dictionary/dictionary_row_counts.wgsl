// above[n] = #{candidates of row n above the key},  equal[n] = #{those that have it}; one workgroup a row
// uses: positive, reduce
// source [rows, stride], bits of f32; or, listed, entries [.., 2] of column and bits
// allowed [features]: where masked, only columns with a number other than 0 are candidates
// list_starts [rows + 1]: where each row's entries begin, if listed
// state [2]: the key, all ones if every candidate is taken
// above […] from row `first` on
// equal […] from row `first` on
struct Params {
  rows: u32,
  features: u32,
  stride: u32,
  listed: u32,
  first: u32,
  masked: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> list_starts: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> above: array<u32>;
@group(0) @binding(5) var<storage, read_write> equal: array<u32>;
@group(0) @binding(6) var<uniform> params: Params;

fn key_of(at: u32) -> u32 {
  if (params.listed > 0u) {
    return source[2u * at + 1u];
  }
  if (params.masked != 0u && allowed[at % params.stride] == 0u) {
    return 0u;
  }
  return positive_key(source[at]);
}

@compute @workgroup_size(WG)
fn dictionary_row_counts(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  var begin = row * params.stride;
  var end = begin + params.features;
  if (params.listed > 0u) {
    begin = list_starts[row];
    end = list_starts[row + 1u];
  }
  let key = select(state[0], 0u, state[0] == 0xffffffffu);
  // Whole numbers below 2²⁴, which f32 sums exactly.
  var over = 0.0;
  var same = 0.0;
  for (var at = begin + lane; at < end; at += 4u * WG) {
    // repeat r 0..4
    let own$r = select(0u, key_of(min(at + $(r)u * WG, end - 1u)), at + $(r)u * WG < end);
    // end repeat
    if (max(max(own0, own1), max(own2, own3)) >= key) {
      // repeat r 0..4
      over += select(0.0, 1.0, own$r > key);
      same += select(0.0, 1.0, own$r == key && own$r != 0u);
      // end repeat
    }
  }
  over = workgroup_sum(over, lane);
  same = workgroup_sum(same, lane);
  if (lane == 0u) {
    above[params.first + row] = u32(over);
    equal[params.first + row] = u32(same);
  }
}
