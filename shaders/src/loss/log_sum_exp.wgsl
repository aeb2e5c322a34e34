// lse[n] = log Σ_v exp(x[n, v])
// uses: reduce, nan, softmax, running, row_scan
// x [rows, width]
// lse [rows]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn log_sum_exp(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let row = group.y * groups.x + group.x;
  if (row >= params.rows) {
    return;
  }
  let start = row * params.width;
  let run = row_scan(start, lane, WG);
  let top = workgroup_max(running_top(run), lane);
  let total = workgroup_sum(running_sum(run, top), lane);
  if (lane == 0u) {
    lse[row] = top + softmax_log(total);
  }
}
