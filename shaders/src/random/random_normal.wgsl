// y[i] = unit · z, z the whole-number normal start + i of the stream, unit = deviation / (65536 · 4.929368)
// uses: random
// y [size]
struct Params {
  size: u32,
  seed_low: u32,
  seed_high: u32,
  stream: u32,
  start: u32,
  unit: f32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn random_normal(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  // One correctly rounded product of an exact integer: the same bits as on the CPU.
  y[i] = f32(random_normal_units(vec2u(params.seed_low, params.seed_high), params.stream, params.start + i)) * params.unit;
}
