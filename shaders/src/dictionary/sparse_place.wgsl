// order[p] = (e, n): the entries of rows first ≤ n < end by feature, each feature's by rising row; p = before[block, f] + marked rows below n in its block
// entry_rows [size]
// columns [size]
// marks [blocks, features]
// before [blocks, features]
// order [size, 2]
struct Params {
  size: u32,
  features: u32,
  first: u32,
  end: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> entry_rows: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> marks: array<u32>;
@group(0) @binding(3) var<storage, read> before: array<u32>;
@group(0) @binding(4) var<storage, read_write> order: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_place(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * WG + id.x;
  if (e >= params.size) {
    return;
  }
  let row = entry_rows[e];
  if (row < params.first || row >= params.end) {
    return;
  }
  let n = row - params.first;
  let at = (n / 32u) * params.features + columns[e];
  let place = before[at] + countOneBits(marks[at] & ((1u << (n % 32u)) - 1u));
  order[2u * place] = e;
  order[2u * place + 1u] = row;
}
