// loss_n = mask_n (max + log sum − l_target), 0 where target_n ≥ vocabulary;  lse_n = max + log sum
// uses: nan, softmax
// state [rows, 3]: max, sum, logit of the target
// targets [rows]
// mask [rows], read where masked = 1
// loss [rows]
// lse [rows]
struct Params {
  rows: u32,
  vocabulary: u32,
  masked: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> state: array<f32>;
@group(0) @binding(1) var<storage, read> targets: array<u32>;
@group(0) @binding(2) var<storage, read> mask: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> lse: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn vocabulary_loss(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.y * groups.x * WG + id.x;
  if (n >= params.rows) {
    return;
  }
  let log_sum = softmax_log(state[3u * n + 1u]);
  lse[n] = state[3u * n] + log_sum;
  var value = (state[3u * n] - state[3u * n + 2u]) + log_sum;
  if (params.masked == 1u) {
    value *= mask[n];
  }
  if (targets[n] >= params.vocabulary) {
    value = 0.0;
  }
  loss[n] = value;
}
