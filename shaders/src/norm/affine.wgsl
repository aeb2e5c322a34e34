// y = x · γ + β over rows; shift = 0 leaves β out, which is the gradient of x
// x [rows, width]
// gamma [width]
// beta [width]
// y [rows, width]
struct Params {
  count: u32,
  width: u32,
  shift: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> gamma: array<f32>;
@group(0) @binding(2) var<storage, read> beta: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn affine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.count) {
    return;
  }
  let col = i % params.width;
  var value = x[i] * gamma[col];
  if (params.shift == 1u) {
    value += beta[col];
  }
  y[i] = value;
}
