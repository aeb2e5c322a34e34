// loss[n] = log Σ_v exp(x[n, v]) − x[n, targets[n]], 0 where targets[n] ≥ V; lse[n] = log Σ_v exp(x[n, v]); one lane a row, by vec4s, where barriers are dear
// uses: nan, softmax, running, row_scan4
// x [rows, width], width a multiple of 4
// targets [rows]
// loss [rows]
// lse [rows]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read_write> loss: array<f32>;
@group(0) @binding(3) var<storage, read_write> lse: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn cross_entropy_lane4_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = id.y * groups.x * WG + id.x;
  if (row >= params.rows) {
    return;
  }
  let count = params.width / 4u;
  let start = row * count;
  let run = row_scan4(start, count, 0u, 1u);
  let top = running_top(run);
  let log_sum = softmax_log(running_sum(run, top));
  lse[row] = top + log_sum;
  let chosen = targets[row];
  if (chosen < params.width) {
    loss[row] = log_sum + (top - x[start + chosen / 4u][chosen % 4u]);
  } else {
    loss[row] = 0.0;
  }
}
