// links[n] = next place after n with the same id (count if none), with the top bit set where n is the id's first place
// ids [count]
// links [count]
struct Params {
  count: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> ids: array<u32>;
@group(0) @binding(1) var<storage, read_write> links: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn embed_links(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * WG + id.x;
  if (n >= params.count) {
    return;
  }
  let mine = ids[n];
  var next = n + 1u;
  while (next < params.count && ids[next] != mine) {
    next++;
  }
  var earlier = n;
  while (earlier > 0u && ids[earlier - 1u] != mine) {
    earlier--;
  }
  links[n] = next | select(0u, 0x80000000u, earlier == 0u);
}
