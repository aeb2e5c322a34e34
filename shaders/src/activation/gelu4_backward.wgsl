// dx = dy · gelu′(x)   (form 1: tanh, form 2: erf; see prelude/gelu.wgsl), four numbers a lane
// uses: gelu
// x [count], count a multiple of 4
// dy [count]
// dx [count]
struct Params {
  count: u32,
}

override WG: u32 = 64u;
override FORM: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> dy: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gelu4_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i < params.count / 4u) {
    dx[i] = dy[i] * gelu_slope4(x[i], FORM);
  }
}
