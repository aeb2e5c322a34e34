// dx = dy · gelu′(x)   (form 1: tanh, form 2: erf; see prelude/gelu.wgsl), sixteen neighbours a lane, where a lane costs more than its reach
// uses: gelu
// x [count], count a multiple of 16
// dy [count]
// dx [count]
struct Params {
  count: u32,
}

override WG: u32 = 64u;
override FORM: u32 = 1u;

@group(0) @binding(0) var<storage, read> x: array<mat4x4f>;
@group(0) @binding(1) var<storage, read> dy: array<mat4x4f>;
@group(0) @binding(2) var<storage, read_write> dx: array<mat4x4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gelu16_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i < params.count / 16u) {
    let v = x[i];
    let d = dy[i];
    dx[i] = mat4x4f(
      d[0] * gelu_slope4(v[0], FORM),
      d[1] * gelu_slope4(v[1], FORM),
      d[2] * gelu_slope4(v[2], FORM),
      d[3] * gelu_slope4(v[3], FORM),
    );
  }
}
