// y[r · y_row + offset + c] = Σ_{c·chunk ≤ j < (c+1)·chunk, j < size} x[start + r · size + j]², r < rows
// uses: reduce
// x [start + rows · size or more]
// y [(rows − 1) · y_row + offset + ⌈size / chunk⌉ or more]
struct Params {
  rows: u32,
  start: u32,
  size: u32,
  chunk: u32,
  offset: u32,
  y_row: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn square_sum(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let number = group.y * groups.x + group.x;
  let chunks = (params.size + params.chunk - 1u) / params.chunk;
  let row = number / chunks;
  if (row >= params.rows) {
    return;
  }
  let part = number % chunks;
  let first = params.start + row * params.size + part * params.chunk;
  let end = min(first + params.chunk, params.start + (row + 1u) * params.size);
  var total = 0.0;
  for (var j = first + lane; j < end; j += WG) {
    total += x[j] * x[j];
  }
  total = workgroup_sum(total, lane);
  if (lane == 0u) {
    y[row * params.y_row + params.offset + part] = total;
  }
}
