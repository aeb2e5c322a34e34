// y = x, word for word (any 4-byte element); four numbers a lane
// x [size], size a multiple of 4
// y [size]
struct Params {
  size: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> y: array<vec4u>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn assign4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size / 4u) {
    return;
  }
  y[i] = x[i];
}
