// y[r, c] = x[offset + r · row + c] where c < columns, else 0: rows of any distance as rows of whole vec4s
// x [… rows at a distance of row]
// y [rows, stride], stride a multiple of 4, size = rows · stride
struct Params {
  size: u32,
  offset: u32,
  row: u32,
  columns: u32,
  stride: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn pack_rows(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let column = i % params.stride;
  if (column < params.columns) {
    y[i] = x[params.offset + (i / params.stride) * params.row + column];
  } else {
    y[i] = 0.0;
  }
}
