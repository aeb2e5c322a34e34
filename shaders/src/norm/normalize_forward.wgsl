// x̂ = (x − μ) / scale,  μ = Σ x / C, scale given; one workgroup a row
// uses: reduce
// x [rows, width]
// scale [rows]
// y [rows, width]: x̂
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn normalize_forward(
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
  for (var j = lane; j < params.width; j += WG) {
    sum += x[base + j];
  }
  let mean = workgroup_sum(sum, lane) / f32(params.width);
  let inverse = 1.0 / scale[row];
  for (var j = lane; j < params.width; j += WG) {
    y[base + j] = (x[base + j] - mean) * inverse;
  }
}
