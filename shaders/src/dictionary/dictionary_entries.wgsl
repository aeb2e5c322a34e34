// (columns, values, entry_rows)[e] = what was picked, list after list without gaps; behind the last (features, 0, rows); row_starts[n] = where row n's first list begins
// picks [lists, pick_stride, 2], or with pick_stride 0 without gaps already
// starts [lists + 1], lists = rows · lists_of_row
// columns [size]
// values [size], bits of f32
// entry_rows [size]
// row_starts [rows + 1]
struct Params {
  size: u32,
  rows: u32,
  features: u32,
  pick_stride: u32,
  lists_of_row: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> picks: array<u32>;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> columns: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> entry_rows: array<u32>;
@group(0) @binding(5) var<storage, read_write> row_starts: array<u32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_entries(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * WG + id.x;
  if (e <= params.rows) {
    row_starts[e] = starts[e * params.lists_of_row];
  }
  if (e >= params.size) {
    return;
  }
  let lists = params.rows * params.lists_of_row;
  if (e >= starts[lists]) {
    columns[e] = params.features;
    values[e] = 0u;
    entry_rows[e] = params.rows;
    return;
  }
  // The last list that starts at or before e: those after it start later, and empty ones before it where it starts.
  var list = 0u;
  var beyond = lists;
  while (beyond - list > 1u) {
    let middle = (list + beyond) / 2u;
    if (starts[middle] <= e) {
      list = middle;
    } else {
      beyond = middle;
    }
  }
  let at = select(list * params.pick_stride + e - starts[list], e, params.pick_stride == 0u);
  columns[e] = picks[2u * at];
  values[e] = picks[2u * at + 1u];
  entry_rows[e] = list / params.lists_of_row;
}
