// a[n, f] = h[n, f] where h[n, f] > θ[f], else 0   (JumpReLU, arXiv 2407.14435)
// uses: nan
// h [rows, features], size = rows · features
// threshold [features], θ
// a [rows, features]
struct Params {
  size: u32,
  features: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> h: array<f32>;
@group(0) @binding(1) var<storage, read> threshold: array<f32>;
@group(0) @binding(2) var<storage, read_write> a: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn jump_relu_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let theta = threshold[i % params.features];
  let value = select(0.0, h[i], h[i] > theta || is_nan(h[i]));
  a[i] = nan_where(is_nan(theta), value);
}
