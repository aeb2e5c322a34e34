// before[b, f] = cursor[f] + Σ_{c < b} bits of marks[c, f]; cursor[f] += Σ_c bits of marks[c, f]
// marks [blocks, features]
// before [blocks, features]
// cursor [features]
struct Params {
  blocks: u32,
  features: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> marks: array<u32>;
@group(0) @binding(1) var<storage, read_write> before: array<u32>;
@group(0) @binding(2) var<storage, read_write> cursor: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_prefix(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let f = id.y * groups.x * WG + id.x;
  if (f >= params.features) {
    return;
  }
  var place = cursor[f];
  for (var b = 0u; b < params.blocks; b += 1u) {
    before[b * params.features + f] = place;
    place += countOneBits(marks[b * params.features + f]);
  }
  cursor[f] = place;
}
