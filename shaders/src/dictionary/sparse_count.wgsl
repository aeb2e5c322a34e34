// counts[f] = #{e: columns[e] = f}; whole numbers, whose sum has no order
// columns [size]; features or more for none
// counts [features], 0 before
struct Params {
  size: u32,
  features: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> columns: array<u32>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_count(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * WG + id.x;
  if (e < params.size && columns[e] < params.features) {
    atomicAdd(&counts[columns[e]], 1u);
  }
}
