// partial[s] = (Σ_e values[e] · source[n, :], Σ_e values[e], 0, 0, 0) over one chunk of a long list of a feature's entries; a lane FOURS vec4s, one after the other in memory
// starts [features + 1], of each feature's list in order
// chunk_starts [features + 1], of each long list's chunks
// order [capacity, 2]: entry and row
// values [capacity]
// source [rows, width], width a multiple of 4
// partial [most, width + 4]
struct Params {
  features: u32,
  width: u32,
  // ⌈width / (4 · FOURS)⌉
  lanes: u32,
  chunk: u32,
  // chunks there may be
  most: u32,
}

override WG: u32 = 64u;
// Vec4s to a lane, at most 8.
override FOURS: u32 = 1u;
// Entries in flight: 1 or 4. CPUs, whose registers the sums fill, gain nothing by 4.
override AHEAD: u32 = 4u;

@group(0) @binding(0) var<storage, read> starts: array<u32>;
@group(0) @binding(1) var<storage, read> chunk_starts: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<vec2u>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> source: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> partial: array<vec4f>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_partials4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let own = i / params.lanes;
  if (own >= min(params.most, chunk_starts[params.features])) {
    return;
  }
  // The last feature whose chunks start at or before this one.
  var f = 0u;
  var beyond = params.features;
  while (beyond - f > 1u) {
    let middle = (f + beyond) / 2u;
    if (chunk_starts[middle] <= own) {
      f = middle;
    } else {
      beyond = middle;
    }
  }
  let begin = starts[f] + (own - chunk_starts[f]) * params.chunk;
  let end = min(begin + params.chunk, starts[f + 1u]);
  // Those beyond the width read the last one and are not stored.
  let fours = params.width / 4u;
  let last = fours - 1u;
  // repeat r 0..8
  let c$r = (i % params.lanes) * FOURS + $(r)u;
  let at$r = min(c$r, last);
  var sum$r = vec4f();
  // end repeat
  var total = 0.0;
  var p = begin;
  if (AHEAD == 4u) {
    for (; p + 3u < end; p += 4u) {
      // repeat j 0..4
      let o$j = order[p + $(j)u];
      let v$j = values[o$j.x];
      let b$j = o$j.y * fours;
      // end repeat
      total = total + v0 + v1 + v2 + v3;
      // repeat r 0..8
      if ($(r)u < FOURS) { sum$r = sum$r + v0 * source[b0 + at$r] + v1 * source[b1 + at$r] + v2 * source[b2 + at$r] + v3 * source[b3 + at$r]; }
      // end repeat
    }
  }
  for (; p < end; p += 1u) {
    let entry = order[p];
    let value = values[entry.x];
    let base = entry.y * fours;
    total += value;
    // repeat r 0..8
    if ($(r)u < FOURS) { sum$r += value * source[base + at$r]; }
    // end repeat
  }
  let out = own * (fours + 1u);
  // repeat r 0..8
  if ($(r)u < FOURS && c$r <= last) { partial[out + c$r] = sum$r; }
  // end repeat
  if (c0 == 0u) {
    partial[out + fours] = vec4f(total, 0.0, 0.0, 0.0);
  }
}
