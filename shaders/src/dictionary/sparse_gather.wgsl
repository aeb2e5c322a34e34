// values[e] = dense[entry_rows[e], columns[e]], 0 behind the last entry
// entry_rows [size]
// columns [size]
// dense [rows, features]
// values [size]
struct Params {
  size: u32,
  rows: u32,
  features: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> entry_rows: array<u32>;
@group(0) @binding(1) var<storage, read> columns: array<u32>;
@group(0) @binding(2) var<storage, read> dense: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn sparse_gather(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let e = id.y * groups.x * WG + id.x;
  if (e >= params.size) {
    return;
  }
  var value = 0.0;
  if (entry_rows[e] < params.rows) {
    value = dense[entry_rows[e] * params.features + columns[e]];
  }
  values[e] = value;
}
