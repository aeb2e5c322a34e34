// loss[n] = log Σ_v exp(x[n, v]) − x[n, targets[n]], 0 where targets[n] ≥ V; lse[n] = log Σ_v exp(x[n, v])
// uses: reduce, nan, softmax, running, row_scan
// x [rows, width]
// targets [rows]
// loss [rows]
// lse [rows]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy_forward(
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
    let log_sum = softmax_log(total);
    lse[row] = top + log_sum;
    let chosen = targets[row];
    if (chosen < params.width) {
      loss[row] = log_sum + (top - x[start + chosen]);
    } else {
      loss[row] = 0.0;
    }
  }
}
