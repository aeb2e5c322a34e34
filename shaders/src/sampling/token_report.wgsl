// report[n] = (id, bits of log p(id)) for ids[n] and then for the likeliest tokens;  log p(v) = x[n, v] − lse[n]
// x [rows, width]
// lse [rows]
// ids [rows]
// likeliest [rows, count]; read where count > 0
// report [rows, 1 + count, 2]
struct Params {
  size: u32,
  width: u32,
  count: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> lse: array<f32>;
@group(0) @binding(2) var<storage, read> ids: array<u32>;
@group(0) @binding(3) var<storage, read> likeliest: array<u32>;
@group(0) @binding(4) var<storage, read_write> report: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn token_report(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let n = i / (params.count + 1u);
  let place = i % (params.count + 1u);
  var v = ids[n];
  if (place > 0u) {
    v = likeliest[n * params.count + place - 1u];
  }
  report[2u * i] = v;
  report[2u * i + 1u] = bitcast<u32>(x[n * params.width + v] - lse[n]);
}
