// after = before + rate · (least − before) where least > 0, else before; log_threshold[f] = log after for every f, `lowest` where it is 0   (BatchTopK: the threshold that stands for a batch's selection outside training)
// least [1], the least activation that a batch kept, 0 for none
// before [1]
// after [1]
// log_threshold [size]
struct Params {
  size: u32,
  rate: f32,
  lowest: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> least: array<f32>;
@group(0) @binding(1) var<storage, read> before: array<f32>;
@group(0) @binding(2) var<storage, read_write> after: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_threshold: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn average_threshold(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let step = select(0.0, params.rate * (least[0] - before[0]), least[0] > 0.0);
  let threshold = before[0] + step;
  if (i == 0u) {
    after[0] = threshold;
  }
  log_threshold[i] = select(params.lowest, max(log(threshold), params.lowest), threshold > 0.0);
}
