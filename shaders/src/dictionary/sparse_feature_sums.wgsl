// d_w[f, :] = Σ_{e: columns[e] = f} values[e] · source[n, :],  d_b[f] = Σ_{e: columns[e] = f} values[e], by rising row n; long lists from their chunks' sums; a lane eight columns
// starts [features + 1], of each feature's list in order
// chunk_starts [features + 1], of each long list's chunks
// order [capacity, 2]: entry and row
// values [capacity]
// source [rows, width]
// partial [chunks, width + 1], from sparse_partials
// d_w [features, width]
// d_b [features]
struct Params {
  features: u32,
  width: u32,
  // ⌈width / 8⌉
  lanes: u32,
  // entries from which on a list is long
  chunk: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> starts: array<u32>;
@group(0) @binding(1) var<storage, read> chunk_starts: array<u32>;
@group(0) @binding(2) var<storage, read> order: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<f32>;
@group(0) @binding(4) var<storage, read> source: array<f32>;
@group(0) @binding(5) var<storage, read> partial: array<f32>;
@group(0) @binding(6) var<storage, read_write> d_w: array<f32>;
@group(0) @binding(7) var<storage, read_write> d_b: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_feature_sums(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let f = i / params.lanes;
  if (f >= params.features) {
    return;
  }
  let last = params.width - 1u;
  // repeat r 0..8
  let c$r = i % params.lanes + $(r)u * params.lanes;
  // end repeat
  // repeat r 0..8
  var sum$r = 0.0;
  // end repeat
  var total = 0.0;
  let begin = starts[f];
  let end = starts[f + 1u];
  if (end - begin <= params.chunk) {
    for (var p = begin; p < end; p += 1u) {
      let value = values[order[2u * p]];
      let base = order[2u * p + 1u] * params.width;
      total += value;
      // repeat r 0..8
      sum$r += value * source[base + min(c$r, last)];
      // end repeat
    }
  } else {
    for (var s = chunk_starts[f]; s < chunk_starts[f + 1u]; s += 1u) {
      let base = s * (params.width + 1u);
      total += partial[base + params.width];
      // repeat r 0..8
      sum$r += partial[base + min(c$r, last)];
      // end repeat
    }
  }
  let out = f * params.width;
  // repeat r 0..8
  if (c$r <= last) { d_w[out + c$r] = sum$r; }
  // end repeat
  if (c0 == 0u) {
    d_b[f] = total;
  }
}
