// partial[s] = (Σ_e values[e] · source[n, :], Σ_e values[e]) over one chunk of a long list of a feature's entries; a lane eight columns
// starts [features + 1], of each feature's list in order
// chunk_starts [features + 1], of each long list's chunks
// order [capacity, 2]: entry and row
// values [capacity]
// source [rows, width]
// partial [most, width + 1]
struct Params {
  features: u32,
  width: u32,
  // ⌈width / 8⌉
  lanes: u32,
  chunk: u32,
  // chunks there may be
  most: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> starts: array<u32>;
@group(0) @binding(1) var<storage, read> chunk_starts: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> source: array<f32>;
@group(0) @binding(5) var<storage, read_write> partial: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_partials(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
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
  let last = params.width - 1u;
  // repeat r 0..8
  let c$r = i % params.lanes + $(r)u * params.lanes;
  // end repeat
  // repeat r 0..8
  var sum$r = 0.0;
  // end repeat
  var total = 0.0;
  for (var p = begin; p < end; p += 1u) {
    let value = values[order[2u * p]];
    let base = order[2u * p + 1u] * params.width;
    total += value;
    // repeat r 0..8
    sum$r += value * source[base + min(c$r, last)];
    // end repeat
  }
  let out = own * (params.width + 1u);
  // repeat r 0..8
  if (c$r <= last) { partial[out + c$r] = sum$r; }
  // end repeat
  if (c0 == 0u) {
    partial[out + params.width] = total;
  }
}
