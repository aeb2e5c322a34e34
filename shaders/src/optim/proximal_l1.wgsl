// p ← sign(p) · max(0, |p| − rate · l1 / (√(v / (1 − β₂ᵗ)) + floor)): the proximal step of l1 · ‖p‖₁ in the metric of an Adam update
// uses: nan
// second [size], v
// parameter [offset + size or more], changed in [offset, offset + size)
struct Params {
  size: u32,
  offset: u32,
  // rate · l1
  threshold: f32,
  floor: f32,
  correction2: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> second: array<f32>;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn proximal_l1(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let p = parameter[params.offset + i];
  let shrink = params.threshold / (sqrt(second[i] / params.correction2) + params.floor);
  if (!is_nan(p) && abs(p) <= shrink) {
    parameter[params.offset + i] = 0.0;
  } else {
    parameter[params.offset + i] = p - sign(p) * shrink;
  }
}
