// above[l] = #{candidates of list l above the key},  equal[l] = #{those that have it}; a lane a list
// uses: positive, candidates, candidate_lists
// source [rows, stride], bits of f32
// allowed [features]
// entries [lists, room, 2]
// lengths [lists]
// state [3]; the key, all ones if every candidate is taken
// above […] from list `first` on
// equal […] from list `first` on
override WG: u32 = 64u;
// Whether `allowed` counts.
override MASKED: bool = false;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> entries: array<u32>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read> state: array<u32>;
@group(0) @binding(5) var<storage, read_write> above: array<u32>;
@group(0) @binding(6) var<storage, read_write> equal: array<u32>;
@group(0) @binding(7) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_ranks(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let list = id.y * groups.x * WG + id.x;
  if (list >= params.lists) {
    return;
  }
  let key = select(state[0], 0u, state[0] == 0xffffffffu);
  var over = 0u;
  var same = 0u;
  let held = candidate_list(list);
  for (var j = 0u; j < held.length; j += 1u) {
    let own = candidate(held, j).y;
    over += select(0u, 1u, own > key);
    same += select(0u, 1u, own == key && own != 0u);
  }
  above[params.first + list] = over;
  equal[params.first + list] = same;
}
