// y[o, i] = (mask[o] ≠ 0) = (keep ≠ 0) ? x[o, i] : 0
// mask [outer]
// x [outer, inner]
// y [outer, inner]
struct Params {
  size: u32,
  inner: u32,
  keep: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> mask: array<u32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn mask_rows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  if ((mask[i / params.inner] != 0u) == (params.keep != 0u)) {
    y[i] = x[i];
  } else {
    y[i] = 0.0;
  }
}
