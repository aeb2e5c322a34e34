// y[c] = the least positive x of chunk c, 0 where it has none
// uses: reduce
// x [size]
// y [chunks], chunks = ⌈size / chunk⌉
struct Params {
  size: u32,
  chunk: u32,
  chunks: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// Above every finite number that an activation takes.
const NONE: f32 = 3.4028234e38;

@compute @workgroup_size(WG)
fn min_positive(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let c = group.y * groups.x + group.x;
  if (c >= params.chunks) {
    return;
  }
  let end = min((c + 1u) * params.chunk, params.size);
  var least = NONE;
  for (var i = c * params.chunk + lane; i < end; i += WG) {
    least = select(least, min(least, x[i]), x[i] > 0.0);
  }
  least = -workgroup_max(-least, lane);
  if (lane == 0u) {
    y[c] = select(least, 0.0, least == NONE);
  }
}
