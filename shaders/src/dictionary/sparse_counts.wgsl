// y[f] = f32(counts[f])
// counts [size]
// y [size]
struct Params {
  size: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> counts: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_counts(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let f = id.y * groups.x * WG + id.x;
  if (f < params.size) {
    y[f] = f32(counts[f]);
  }
}
