// p_j = exp(s_j − max) / Σ exp over a row; a subgroup, which is the workgroup, a row at a time, held in registers as vec4s
// uses: nan, softmax
// scores [rows, keys], keys a multiple of 4 and at most 128 · LANES
// pattern [rows, keys]
enable subgroups;

struct Params {
  rows: u32,
  keys: u32,
  // rows that a workgroup takes one after the other
  share: u32,
}

// the adapter's subgroup size
override LANES: u32 = 32u;
// vec4s of a row that a lane holds: ⌈keys / 4 LANES⌉, at most 32
override HELD: u32 = 32u;

@group(0) @binding(0) var<storage, read> scores: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> pattern: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(LANES)
fn softmax_subgroup_forward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * params.share;
  let count = params.keys / 4u;
  // The last vec4 of a lane may lie beyond the row.
  let last = lane + (HELD - 1u) * LANES;
  let inside = last < count;
  for (var row = first; row < min(params.rows, first + params.share); row++) {
    let base = row * count;
    var held: array<vec4f, 32>;
    var tops = vec4f(LOWEST);
    var as_i32 = vec4i(-0x7fffffff);
    var as_u32 = vec4u();
    for (var n = 0u; n < HELD - 1u; n++) {
      let score = scores[base + lane + n * LANES];
      held[n] = score;
      tops = max(tops, score);
      as_i32 = max(as_i32, bitcast<vec4i>(score));
      as_u32 = max(as_u32, bitcast<vec4u>(score));
    }
    let end = select(vec4f(LOWEST), scores[base + min(last, count - 1u)], inside);
    tops = max(tops, end);
    as_i32 = max(as_i32, bitcast<vec4i>(end));
    as_u32 = max(as_u32, bitcast<vec4u>(end));
    let top = subgroupMax(max(max(tops.x, tops.y), max(tops.z, tops.w)));
    var sums = select(vec4f(), exp(end - top), inside);
    held[HELD - 1u] = sums;
    for (var n = 0u; n < HELD - 1u; n++) {
      let power = exp(held[n] - top);
      held[n] = power;
      sums += power;
    }
    let sum = subgroupAdd(select((sums.x + sums.y) + (sums.z + sums.w), -1e30, spoilt(as_i32, as_u32)));
    let inverse = nan_where(sum == 0.0, 1.0 / softmax_sum(sum));
    for (var n = 0u; n < HELD - 1u; n++) {
      pattern[base + lane + n * LANES] = held[n] * inverse;
    }
    if (inside) {
      pattern[base + last] = held[HELD - 1u] * inverse;
    }
  }
}
