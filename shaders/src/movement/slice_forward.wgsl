// y[o, l, i] = x[o, start + l, i], l < length; any 4-byte element
// x [outer, axis, inner]
// y [outer, length, inner], size = outer · length · inner
struct Params {
  size: u32,
  axis: u32,
  inner: u32,
  start: u32,
  length: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn slice_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let run = params.length * params.inner;
  y[i] = x[((i / run) * params.axis + params.start) * params.inner + i % run];
}
