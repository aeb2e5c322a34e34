// counts[l] = above[l] + what list l gets of the ties: those of the first lists, until none are left
// above [size]
// equal [size]
// equal_before [size + 1]: Σ_{m < l} equal[m]
// state [3]: the key, all ones if every candidate is taken, and how many that have it are needed
// counts [size]
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
  let list = id.y * groups.x * WG + id.x;
  if (list >= params.size) {
    return;
  }
  let ties = select(state[1], 0u, state[0] == 0xffffffffu);
  counts[list] = above[list] + min(equal[list], ties - min(ties, equal_before[list]));
}
