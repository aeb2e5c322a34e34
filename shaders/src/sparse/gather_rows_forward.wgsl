// y[n, c] = rows[n] < count ? x[rows[n], c] : 0
// x [count, width]
// rows [N]
// y [N, width], size = N · width
struct Params {
  size: u32,
  count: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gather_rows_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let row = rows[i / params.width];
  if (row < params.count) {
    y[i] = x[row * params.width + i % params.width];
  } else {
    y[i] = 0.0;
  }
}
