// y[offset + c] = Σ_{c·chunk ≤ j < (c+1)·chunk, j < size} x[start + j]²
// uses: reduce
// x [start + size or more]
// y [offset + ⌈size / chunk⌉ or more]
struct Params {
  start: u32,
  size: u32,
  chunk: u32,
  offset: u32,
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
  let part = group.y * groups.x + group.x;
  let first = part * params.chunk;
  if (first >= params.size) {
    return;
  }
  let end = params.start + min(first + params.chunk, params.size);
  var total = 0.0;
  for (var j = params.start + first + lane; j < end; j += WG) {
    total += x[j] * x[j];
  }
  total = workgroup_sum(total, lane);
  if (lane == 0u) {
    y[params.offset + part] = total;
  }
}
