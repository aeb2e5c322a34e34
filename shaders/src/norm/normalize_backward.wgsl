// dx = (dy − Σ dy / C) / scale,  d_scale = −Σ dy x̂ / scale; one workgroup a row
// uses: reduce
// hat [rows, width]: x̂
// scale [rows]
// dy [rows, width]
// dx [rows, width]
// d_scale [rows]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> hat: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;
@group(0) @binding(4) var<storage, read_write> d_scale: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn normalize_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let base = row * params.width;
  var sum = 0.0;
  var dot = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    sum += dy[base + j];
    dot += dy[base + j] * hat[base + j];
  }
  let mean = workgroup_sum(sum, lane) / f32(params.width);
  let total = workgroup_sum(dot, lane);
  let inverse = 1.0 / scale[row];
  for (var j = lane; j < params.width; j += WG) {
    dx[base + j] = (dy[base + j] - mean) * inverse;
  }
  if (lane == 0u) {
    d_scale[row] = -total * inverse;
  }
}
