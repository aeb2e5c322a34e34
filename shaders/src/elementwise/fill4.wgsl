// y = value; four numbers a lane
// y [size], size a multiple of 4
struct Params {
  size: u32,
  value: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn fill4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size / 4u) {
    return;
  }
  y[i] = vec4f(params.value);
}
