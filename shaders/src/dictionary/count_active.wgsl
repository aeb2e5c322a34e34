// counts[c, f] = #{ n in chunk c : a[n, f] > 0 }
// a [rows, features]
// counts [chunks, features], chunks = ⌈rows / chunk⌉, size = chunks · features
struct Params {
  size: u32,
  rows: u32,
  features: u32,
  chunk: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read_write> counts: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn count_active(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let feature = i % params.features;
  let first = (i / params.features) * params.chunk;
  var count = 0.0;
  for (var n = first; n < min(first + params.chunk, params.rows); n++) {
    count += select(0.0, 1.0, a[n * params.features + feature] > 0.0);
  }
  counts[i] = count;
}
