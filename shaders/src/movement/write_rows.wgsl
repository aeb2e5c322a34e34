// y[b, at_b + t, i] = x[b, t, i], t < count_b and at_b + t < axis: rows put in their places; any 4-byte element
// x [batch, length, inner], size = batch · length · inner
// places [batch, 2]: at_b, count_b
// y [batch, axis, inner]; the rest of y is left alone
struct Params {
  size: u32,
  axis: u32,
  inner: u32,
  length: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read> places: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn write_rows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let t = (i / params.inner) % params.length;
  let b = i / (params.inner * params.length);
  let at = places[2u * b];
  // Compared without a sum that could pass 2³².
  if (t >= places[2u * b + 1u] || at >= params.axis || t >= params.axis - at) {
    return;
  }
  y[(b * params.axis + at + t) * params.inner + i % params.inner] = x[i];
}
