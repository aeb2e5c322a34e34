// dx[r, c] = Σ_{n : rows[n] = r} dy[n, c], in rising n
// links [count + N] from row_links
// dy [N, width]
// dx [count, width], size = count · width
struct Params {
  size: u32,
  count: u32,
  width: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> links: array<u32>;
@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn gather_rows_backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let column = i % params.width;
  var total = 0.0;
  var n = links[i / params.width];
  while (n != 0xffffffffu) {
    total += dy[n * params.width + column];
    n = links[params.count + n];
  }
  dx[i] = total;
}
