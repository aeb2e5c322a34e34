// links[r] = min {n : rows[n] = r} and links[count + n] = min {m > n : rows[m] = rows[n]}, 0xffffffff where there is none
// rows [N]
// links [count + N], size = count + N: for every row the list of places that name it, in rising order
struct Params {
  size: u32,
  count: u32,
  places: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> rows: array<u32>;
@group(0) @binding(1) var<storage, read_write> links: array<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn row_links(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  var wanted = i;
  var n = 0u;
  if (i >= params.count) {
    n = i - params.count;
    wanted = rows[n];
    n += 1u;
  }
  while (n < params.places && rows[n] != wanted) {
    n += 1u;
  }
  links[i] = select(0xffffffffu, n, n < params.places);
}
