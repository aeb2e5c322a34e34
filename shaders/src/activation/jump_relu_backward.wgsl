// dh[n, f] = da[n, f] where h[n, f] > θ[f], else 0: no straight-through term on h
// uses: nan
// h [rows, features], size = rows · features
// threshold [features], θ
// da [rows, features]
// dh [rows, features]
struct Params {
  size: u32,
  features: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> h: array<f32>;
@group(0) @binding(1) var<storage, read> threshold: array<f32>;
@group(0) @binding(2) var<storage, read> da: array<f32>;
@group(0) @binding(3) var<storage, read_write> dh: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn jump_relu_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  dh[i] = select(0.0, da[i], h[i] > threshold[i % params.features] || is_nan(h[i]));
}
