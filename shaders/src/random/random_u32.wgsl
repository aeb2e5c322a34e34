// y[i] = word start + i of the Philox stream
// uses: random
// y [size]
struct Params {
  size: u32,
  seed_low: u32,
  seed_high: u32,
  stream: u32,
  start: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn random_u32(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  y[i] = random_word(vec2u(params.seed_low, params.seed_high), params.stream, params.start + i);
}
