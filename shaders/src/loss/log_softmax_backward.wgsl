// dx[n, v] = dy[n, v] − exp(y[n, v]) · Σ_w dy[n, w]
// uses: reduce, nan
// y [rows, width], the forward output
// dy [rows, width]
// dx [rows, width]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn log_softmax_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  var total = 0.0;
  for (var j = lane; j < params.width; j += WG) {
    total += dy[start + j];
  }
  total = workgroup_sum(total, lane);
  for (var j = lane; j < params.width; j += WG) {
    dx[start + j] = dy[start + j] - exp_or_nan(y[start + j]) * total;
  }
}
