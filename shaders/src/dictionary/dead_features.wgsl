// mask[f] = weight[f] = since[f] ≥ dead_after ? 1 : 0: the features that have not fired for that many rows
// since [size]
// mask [size], for what selects by whole numbers
// weight [size], for what multiplies
struct Params {
  size: u32,
  dead_after: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> since: array<u32>;
@group(0) @binding(1) var<storage, read_write> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> weight: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dead_features(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let dead = since[i] >= params.dead_after;
  mask[i] = select(0u, 1u, dead);
  weight[i] = select(0.0, 1.0, dead);
}
