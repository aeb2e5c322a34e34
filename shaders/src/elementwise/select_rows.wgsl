// y[o, i] = mask[o] ≠ 0 ? a[o, i] : b[o, i]
// mask [outer]
// a [outer, inner]
// b [outer, inner]
// y [outer, inner]
struct Params {
  size: u32,
  inner: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> mask: array<u32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn select_rows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  if (mask[i / params.inner] != 0u) {
    y[i] = a[i];
  } else {
    y[i] = b[i];
  }
}
