// y[chunk, j] = Σ_{row in chunk} x[row, j]: run on x, then on its own result, it sums columns in one fixed order
// x [rows, width] at x_offset with row stride x_row
// y [chunks, width] at y_offset
struct Params {
  rows: u32,
  width: u32,
  // rows summed by one lane
  chunk: u32,
  x_offset: u32,
  x_row: u32,
  y_offset: u32,
  // 1 adds to y
  accumulate: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn column_sum(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  let first = (i / params.width) * params.chunk;
  if (first >= params.rows) {
    return;
  }
  let col = i % params.width;
  var sum = 0.0;
  for (var row = first; row < min(params.rows, first + params.chunk); row++) {
    sum += x[params.x_offset + row * params.x_row + col];
  }
  let at = params.y_offset + i;
  if (params.accumulate == 1u) {
    sum += y[at];
  }
  y[at] = sum;
}
