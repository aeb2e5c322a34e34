// dx[o, a, i] = start ≤ a < start + length ? dy[o, a − start, i] : 0
// dy [outer, length, inner]
// dx [outer, axis, inner], size = outer · axis · inner
struct Params {
  size: u32,
  axis: u32,
  inner: u32,
  start: u32,
  length: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> dy: array<f32>;
@group(0) @binding(1) var<storage, read_write> dx: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn slice_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let inner = i % params.inner;
  let rest = i / params.inner;
  let place = rest % params.axis;
  let outer = rest / params.axis;
  if (place >= params.start && place < params.start + params.length) {
    dx[i] = dy[(outer * params.length + place - params.start) * params.inner + inner];
  } else {
    dx[i] = 0.0;
  }
}
