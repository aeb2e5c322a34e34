// picks[starts[n] …] = (v, bits) of row n's candidates above the key and of its first few that have it, by rising v; one workgroup a row
// uses: positive, digits, picks
// source [rows, stride], bits of f32; or, listed, entries [.., 2] of column and bits
// allowed [features]: where masked, only columns with a number other than 0 are candidates
// list_starts [rows + 1]: where each row's entries begin, if listed
// state [2]: the key, all ones if every candidate is taken
// above […] from row `first` on: candidates above the key
// starts […] from row `first` on
// picks [.., 2]
struct Params {
  rows: u32,
  features: u32,
  stride: u32,
  listed: u32,
  first: u32,
  masked: u32,
}

override WG: u32 = 256u;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> list_starts: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read> above: array<u32>;
@group(0) @binding(5) var<storage, read> starts: array<u32>;
@group(0) @binding(6) var<storage, read_write> picks: array<u32>;
@group(0) @binding(7) var<uniform> params: Params;

fn key_of(at: u32) -> u32 {
  if (params.listed > 0u) {
    return source[2u * at + 1u];
  }
  if (params.masked != 0u && allowed[at % params.stride] == 0u) {
    return 0u;
  }
  return positive_key(source[at]);
}

fn write_pick(at: u32, place: u32) {
  if (params.listed > 0u) {
    picks[2u * place] = source[2u * at];
    picks[2u * place + 1u] = source[2u * at + 1u];
  } else {
    picks[2u * place] = at % params.stride;
    picks[2u * place + 1u] = source[at];
  }
}

@compute @workgroup_size(WG)
fn dictionary_compact(
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
  let n = params.first + row;
  let key = select(state[0], 0u, state[0] == NO_DIGIT);
  let ties = starts[n + 1u] - starts[n] - above[n];
  write_picks(begin, end, key, ties, starts[n], lane);
}
