// y = gelu(x)   (form 1: tanh, form 2: erf; see prelude/gelu.wgsl), four numbers a lane
// uses: gelu
// x [count], count a multiple of 4
// y [count]
struct Params {
  count: u32,
}

override WG: u32 = 64u;
override FORM: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gelu4_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i < params.count / 4u) {
    y[i] = gelu4(x[i], FORM);
  }
}
