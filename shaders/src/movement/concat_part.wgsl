// y[o, start + l, i] = x[o, l, i], l < length: one part of a concatenation; any 4-byte element
// x [outer, length, inner], size = outer · length · inner
// y [outer, axis, inner]; the rest of y is left alone
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
fn concat_part(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let run = params.length * params.inner;
  y[((i / run) * params.axis + params.start) * params.inner + i % run] = x[i];
}
