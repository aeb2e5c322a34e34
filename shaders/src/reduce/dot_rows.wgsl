// y[r, c] = Σ_{c·chunk ≤ j < (c+1)·chunk} a[r, j] · b[r, j]
// uses: reduce
// a [rows, width]
// b [rows, width]
// y [rows, chunks], chunks = ⌈width / chunk⌉
struct Params {
  rows: u32,
  width: u32,
  chunk: u32,
  chunks: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn dot_rows(
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
  var total = 0.0;
  for (var j = row * params.width + first + lane; j < end; j += WG) {
    total += a[j] * b[j];
  }
  total = workgroup_sum(total, lane);
  if (lane == 0u) {
    y[part] = total;
  }
}
