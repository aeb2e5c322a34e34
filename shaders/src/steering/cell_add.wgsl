// y[r, c] = x[r, c] + strength[r] · table[cells[r], c]: the steering vector of a row's cell (arXiv 2410.04962, eq. 4)
// x [rows, width]
// table [cell_count, width]
// cells [rows]: cell_count and above leave a row as it is, bit for bit
// strength [rows]
// y [rows, width], size = rows · width
struct Params {
  size: u32,
  width: u32,
  cell_count: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> table: array<f32>;
@group(0) @binding(2) var<storage, read> cells: array<u32>;
@group(0) @binding(3) var<storage, read> strength: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cell_add(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let row = i / params.width;
  let cell = cells[row];
  if (cell >= params.cell_count) {
    y[i] = x[i];
    return;
  }
  y[i] = x[i] + strength[row] * table[cell * params.width + i % params.width];
}
