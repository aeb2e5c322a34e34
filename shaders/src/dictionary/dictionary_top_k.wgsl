// picks[n] = (v, h[n, v]) of the k largest positive h[n, :], by rising v; of equal ones those with lower v; counts[n] = how many; one workgroup a row
// uses: positive, digits, picks
// h [rows, stride], bits of f32
// allowed [features]: where masked, only v with a number other than 0 may be selected
// picks […, pick_stride, 2] from row `first` on
// counts […] from row `first` on
struct Params {
  rows: u32,
  features: u32,
  stride: u32,
  k: u32,
  first: u32,
  pick_stride: u32,
  masked: u32,
}

override WG: u32 = 256u;

@group(0) @binding(0) var<storage, read> h: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read_write> picks: array<u32>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
@group(0) @binding(4) var<uniform> params: Params;

fn key_of(at: u32) -> u32 {
  if (params.masked != 0u && allowed[at % params.stride] == 0u) {
    return 0u;
  }
  return positive_key(h[at]);
}

fn write_pick(at: u32, place: u32) {
  picks[2u * place] = at % params.stride;
  picks[2u * place + 1u] = h[at];
}

@compute @workgroup_size(WG)
fn dictionary_top_k(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let begin = row * params.stride;
  let end = begin + params.features;
  // The key of the k-th largest, digit by digit; NO_DIGIT where there are fewer than k, and all are taken.
  var prefix = 0u;
  var needed = params.k;
  for (var round = 0u; round < 3u; round += 1u) {
    clear_bins(lane);
    for (var at = begin + lane; at < end; at += WG) {
      count_digit(key_of(at), prefix, round);
    }
    let found = find_digit(needed, lane);
    prefix = select((prefix << digit_bits(round)) | found.x, NO_DIGIT, found.x == NO_DIGIT);
    needed = found.y;
  }
  let all = prefix == NO_DIGIT;
  let out = (params.first + row) * params.pick_stride;
  let count = write_picks(begin, end, select(prefix, 0u, all), select(needed, 0u, all), out, lane);
  if (lane == 0u) {
    counts[params.first + row] = count;
  }
}
