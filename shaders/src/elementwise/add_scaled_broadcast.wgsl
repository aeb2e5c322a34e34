// y[o, m, i] = a + alpha · b with a and b read at (o, m, i) through strides that are 0 along the axes they repeat on
// a [at most outer · middle · inner]
// b [at most outer · middle · inner]
// y [outer, middle, inner], size = outer · middle · inner
struct Params {
  size: u32,
  middle: u32,
  inner: u32,
  a_outer: u32,
  a_middle: u32,
  a_inner: u32,
  b_outer: u32,
  b_middle: u32,
  b_inner: u32,
  alpha: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn add_scaled_broadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let inner = i % params.inner;
  let rest = i / params.inner;
  let middle = rest % params.middle;
  let outer = rest / params.middle;
  let left = a[outer * params.a_outer + middle * params.a_middle + inner * params.a_inner];
  let right = b[outer * params.b_outer + middle * params.b_middle + inner * params.b_inner];
  y[i] = left + params.alpha * right;
}
