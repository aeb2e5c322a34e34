// y[n, m] = score[n, m] ≥ largest[n, k − 1] ? x[n, m] : rest[m]: of every row what scores among its k largest is kept, the others take a value of their own
// score [rows, width]
// largest [rows, k], the k largest scores of each row in falling order
// x [rows, width]
// rest [width]
// y [rows, width], size = rows · width
struct Params {
  size: u32,
  width: u32,
  k: u32,
}

override WG: u32 = 64u;

@group(0) @binding(0) var<storage, read> score: array<f32>;
@group(0) @binding(1) var<storage, read> largest: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read> rest: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn keep_largest(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * WG + id.x;
  if (i >= params.size) {
    return;
  }
  let least = largest[(i / params.width) * params.k + params.k - 1u];
  y[i] = select(rest[i % params.width], x[i], score[i] >= least);
}
