// (columns, values, entry_rows)[e] = what was picked, row after row without gaps; behind the last (features, 0, rows)
// picks [rows, pick_stride, 2], or with pick_stride 0 without gaps already
// row_starts [rows + 1]
// columns [size]
// values [size], bits of f32
// entry_rows [size]
struct Params {
  size: u32,
  rows: u32,
  features: u32,
  pick_stride: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> picks: array<u32>;
@group(0) @binding(1) var<storage, read> row_starts: array<u32>;
@group(0) @binding(2) var<storage, read_write> columns: array<u32>;
@group(0) @binding(3) var<storage, read_write> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> entry_rows: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dictionary_entries(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * WG + id.x;
  if (e >= params.size) {
    return;
  }
  if (e >= row_starts[params.rows]) {
    columns[e] = params.features;
    values[e] = 0u;
    entry_rows[e] = params.rows;
    return;
  }
  // The last row that starts at or before e: those after it start later, and empty ones before it where it starts.
  var row = 0u;
  var beyond = params.rows;
  while (beyond - row > 1u) {
    let middle = (row + beyond) / 2u;
    if (row_starts[middle] <= e) {
      row = middle;
    } else {
      beyond = middle;
    }
  }
  let at = select(row * params.pick_stride + e - row_starts[row], e, params.pick_stride == 0u);
  columns[e] = picks[2u * at];
  values[e] = picks[2u * at + 1u];
  entry_rows[e] = row;
}
