// y[r, c] = max_{c·chunk ≤ j < (c+1)·chunk} x[r, j], NaN if one of them is
// uses: reduce, nan
// x [rows, width]
// y [rows, chunks], chunks = ⌈width / chunk⌉
struct Params {
  rows: u32,
  width: u32,
  chunk: u32,
  chunks: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn max_rows(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let part = group.y * groups.x + group.x;
  if (part >= params.rows * params.chunks) {
    return;
  }
  let row = part / params.chunks;
  let first = (part % params.chunks) * params.chunk;
  let end = row * params.width + min(first + params.chunk, params.width);
  // Every chunk has an element, and its first stands in for the lanes that have none.
  var top = x[row * params.width + first];
  var lost = 0.0;
  for (var j = row * params.width + first + lane; j < end; j += WG) {
    top = max(top, x[j]);
    lost = select(lost, 1.0, is_nan(x[j]));
  }
  top = workgroup_max(top, lane);
  lost = workgroup_max(lost, lane);
  if (lane == 0u) {
    y[part] = nan_where(lost > 0.0, top);
  }
}
