// y[n, v] = x[n, v] − log Σ_w exp(x[n, w]); one lane a row, where barriers are dear
// uses: nan, softmax, running, row_scan
// x [rows, width]
// y [rows, width]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn log_softmax_lane_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  let run = row_scan(start, 0u, 1u);
  let top = running_top(run);
  let offset = softmax_log(running_sum(run, top));
  for (var i = start; i < start + params.width; i++) {
    y[i] = (x[i] - top) - offset;
  }
}
