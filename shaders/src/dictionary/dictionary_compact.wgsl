// picks[starts[l] …] = (v, key) of list l's candidates above the key and of its first few that have it, by rising v; a lane a list
// uses: positive, candidates, candidate_lists
// source [rows, stride], bits of f32
// allowed [features]
// entries [lists, room, 2]
// lengths [lists]
// state [3]; the key, all ones if every candidate is taken
// above […] from list `first` on: candidates above the key
// starts […] from list `first` on
// picks [.., 2]
override WG: u32 = 64u;
// Whether `allowed` counts.
override MASKED: bool = false;

@group(0) @binding(0) var<storage, read> source: array<u32>;
@group(0) @binding(1) var<storage, read> allowed: array<u32>;
@group(0) @binding(2) var<storage, read> entries: array<u32>;
@group(0) @binding(3) var<storage, read> lengths: array<u32>;
@group(0) @binding(4) var<storage, read> state: array<u32>;
@group(0) @binding(5) var<storage, read> above: array<u32>;
@group(0) @binding(6) var<storage, read> starts: array<u32>;
@group(0) @binding(7) var<storage, read_write> picks: array<u32>;
@group(0) @binding(8) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_compact(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let list = id.y * groups.x * WG + id.x;
  if (list >= params.lists) {
    return;
  }
  let key = select(state[0], 0u, state[0] == 0xffffffffu);
  var place = starts[params.first + list];
  var ties = starts[params.first + list + 1u] - place - above[params.first + list];
  let held = candidate_list(list);
  for (var j = 0u; j < held.length; j += 1u) {
    let own = candidate(held, j);
    let tied = own.y == key && ties > 0u;
    if (own.y > key || tied) {
      picks[2u * place] = own.x;
      picks[2u * place + 1u] = own.y;
      place += 1u;
      ties -= select(0u, 1u, tied);
    }
  }
}
