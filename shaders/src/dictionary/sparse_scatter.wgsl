// dense[entry_rows[e], columns[e]] = values[e]; every place has one entry at most
// entry_rows [size]
// columns [size]
// values [size]
// dense [rows, features], 0 before
struct Params {
  size: u32,
  rows: u32,
  features: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> entry_rows: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> dense: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_scatter(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * WG + id.x;
  if (e < params.size && entry_rows[e] < params.rows) {
    dense[entry_rows[e] * params.features + columns[e]] = values[e];
  }
}
