// y = a · b; four numbers a lane
// a [size], size a multiple of 4
// b [size]
// y [size]
struct Params {
  size: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn multiply4(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size / 4u) {
    return;
  }
  y[i] = a[i] * b[i];
}
