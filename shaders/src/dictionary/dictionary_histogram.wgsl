// histogram[d] += #{candidates whose key begins with the digits found so far and goes on with d}; a lane a list
// uses: positive, digits, candidates, candidate_lists
// source [rows, stride], bits of f32
// allowed [features]
// entries [lists, room, 2]
// lengths [lists]
// state [3]; the digits found so far
// histogram [2048], 0 before
override WG: u32 = 64u;
// Whether `allowed` counts.
override MASKED: bool = false;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> entries: array<u32>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> histogram: array<atomic<u32>>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_histogram(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let list = id.y * groups.x * WG + id.x;
  if (list >= params.lists) {
    return;
  }
  let prefix = select(state[0], 0u, params.round == 0u);
  let bits = digit_bits(params.round);
  let held = candidate_list(list);
  for (var j = 0u; j < held.length; j += 1u) {
    let key = candidate(held, j).y;
    let rest = key >> digit_shift(params.round);
    if (key != 0u && rest >> bits == prefix) {
      atomicAdd(&histogram[rest & ((1u << bits) - 1u)], 1u);
    }
  }
}
