// d_threshold[c, f] = Σ_{n in chunk c} −(s / ε) K((h[n, f] − θ[f]) / ε) · dy, K(u) = 1 for |u| < ½: straight-through gradients; of the activation s = θ[f], dy = dy[n, f]; of the count s = 1, dy = dy[n]
// h [rows, features]
// threshold [features], θ
// dy [rows, features], or [rows] of the count
// d_threshold [chunks, features], chunks = ⌈rows / chunk⌉, size = chunks · features
struct Params {
  size: u32,
  rows: u32,
  features: u32,
  chunk: u32,
  // ε
  bandwidth: f32,
}

override WG: u32 = 64u;
// 0: the activation, 1: the count
override FORM: u32 = 0u;

@group(0) @binding(0) var<storage, read> h: array<f32>;
@group(0) @binding(1) var<storage, read> threshold: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> d_threshold: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn jump_relu_threshold(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let feature = i % params.features;
  let theta = threshold[feature];
  let first = (i / params.features) * params.chunk;
  var total = 0.0;
  for (var n = first; n < min(first + params.chunk, params.rows); n++) {
    let at = n * params.features + feature;
    let near = abs(h[at] - theta) < 0.5 * params.bandwidth;
    total += select(0.0, dy[select(at, n, FORM == 1u)], near);
  }
  d_threshold[i] = -select(theta, 1.0, FORM == 1u) / params.bandwidth * total;
}
