// bit (n − first) mod 32 of marks[⌊(n − first) / 32⌋, f] = whether row n has an entry of feature f, for rows first ≤ n < end
// entry_rows [size]
// columns [size]
// marks [blocks, features], 0 before
struct Params {
  size: u32,
  features: u32,
  first: u32,
  end: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> entry_rows: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read_write> marks: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_mark(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * WG + id.x;
  if (e >= params.size) {
    return;
  }
  let row = entry_rows[e];
  if (row < params.first || row >= params.end) {
    return;
  }
  let n = row - params.first;
  atomicOr(&marks[(n / 32u) * params.features + columns[e]], 1u << (n % 32u));
}
