// counts[n] = above[n] + what row n gets of the ties: those of the first rows, until none are left
// above [rows]
// equal [rows]
// equal_before [rows + 1]: Σ_{m < n} equal[m]
// state [2]: the key, all ones if every candidate is taken, and how many that have it are needed
// counts [rows]
struct Params {
  size: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> above: array<u32>;
@group(0) @binding(1) var<storage, read> equal: array<u32>;
@group(0) @binding(2) var<storage, read> equal_before: array<u32>;
@group(0) @binding(3) var<storage, read> state: array<u32>;
@group(0) @binding(4) var<storage, read_write> counts: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_grant(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * WG + id.x;
  if (n >= params.size) {
    return;
  }
  let ties = select(state[1], 0u, state[0] == 0xffffffffu);
  counts[n] = above[n] + min(equal[n], ties - min(ties, equal_before[n]));
}
