// scale = √(Σ (x − μ)² / C + ε),  μ = Σ x / C; one workgroup a row
// uses: reduce
// x [rows, width]
// scale [rows]
struct Params {
  rows: u32,
  width: u32,
  eps: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> scale: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layernorm_scale_forward(
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
  var square = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    let d = x[base + j] - mean;
    square += d * d;
  }
  let variance = workgroup_sum(square, lane) / f32(params.width);
  if (lane == 0u) {
    scale[row] = sqrt(variance + params.eps);
  }
}
