// y[o, m, i] = alpha · x[o, m, i] with x read through strides that are 0 along the axes it repeats on
// x [at most outer · middle · inner]
// y [outer, middle, inner], size = outer · middle · inner
struct Params {
  size: u32,
  middle: u32,
  inner: u32,
  x_outer: u32,
  x_middle: u32,
  x_inner: u32,
  alpha: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn expand(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let inner = i % params.inner;
  let rest = i / params.inner;
  let middle = rest % params.middle;
  let outer = rest / params.middle;
  y[i] = params.alpha * x[outer * params.x_outer + middle * params.x_middle + inner * params.x_inner];
}
