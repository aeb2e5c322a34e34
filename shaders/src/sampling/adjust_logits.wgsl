// y[n, v] = f(x[n, v]) / temperature, −∞ for barred v;  f divides a positive logit of a seen token by penalty and multiplies another one
// x [rows, width]
// seen [rows, words]: bit v % 32 of word v / 32 says that v is in the row's text; words = ceil(width / 32); read where penalise = 1
// barred [words]: tokens that may not come now, likewise; read where bar = 1
// y [rows, width]
struct Params {
  size: u32,
  width: u32,
  words: u32,
  penalise: u32,
  bar: u32,
  penalty: f32,
  temperature: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> seen: array<u32>;
@group(0) @binding(2) var<storage, read> barred: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn adjust_logits(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let v = i % params.width;
  var value = x[i];
  if (params.penalise == 1u && ((seen[(i / params.width) * params.words + v / 32u] >> (v % 32u)) & 1u) == 1u) {
    value = select(value * params.penalty, value / params.penalty, value > 0.0);
  }
  value /= params.temperature;
  let hidden = params.bar == 1u && ((barred[v / 32u] >> (v % 32u)) & 1u) == 1u;
  y[i] = bitcast<f32>(select(bitcast<u32>(value), 0xff800000u, hidden));
}
