// y = gelu(x)   (form 1: tanh, form 2: erf; see prelude/gelu.wgsl)
// uses: gelu
// x [count]
// y [count]
struct Params {
  count: u32,
}

override WG: u32 = 64u;
override FORM: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gelu_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i < params.count) {
    y[i] = gelu(x[i], FORM);
  }
}
