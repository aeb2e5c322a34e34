// seen[n, ids[n] / 32] ← seen | 1 ≪ (ids[n] % 32), in place
// ids [rows]
// seen [rows, words]
struct Params {
  size: u32,
  words: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> seen: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn mark_seen(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * WG + id.x;
  if (n >= params.size) {
    return;
  }
  let v = ids[n];
  if (v / 32u < params.words) {
    seen[n * params.words + v / 32u] |= 1u << (v % 32u);
  }
}
