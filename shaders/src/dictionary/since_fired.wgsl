// since[f] ← fired[f] > 0 ? 0 : min(since[f] + rows, 2³² − 1), in place: rows that went by since a feature last fired
// fired [size], in how many of these rows each feature fired
// since [size]
struct Params {
  size: u32,
  rows: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> fired: array<f32>;
@group(0) @binding(1) var<storage, read_write> since: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn since_fired(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let before = since[i];
  since[i] = select(before + min(params.rows, 0xffffffffu - before), 0u, fired[i] > 0.0);
}
