// dx = r (g − Σ g / C − x̂ Σ g x̂ / C),  g = dy · γ,  x̂ = (x − μ) r; SPAN lanes a row, which they hold in registers as vec4s
// uses: span
// x [rows, width], width a multiple of 4 and at most 32 · SPAN
// gamma [width]
// stats [rows, 2]: μ, r
// dy [rows, width]
// dx [rows, width]
struct Params {
  rows: u32,
  width: u32,
}

override WG: u32 = 64u;
override SPAN: u32 = 64u;
// vec4s of a row that a lane holds: ⌈width / 4 SPAN⌉
override HELD: u32 = 8u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(2) var<storage, read> stats: array<vec2f>;
@group(0) @binding(3) var<storage, read> dy: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> dx: array<vec4f>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layernorm_span_backward(
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let first = (group.y * groups.x + group.x) * (WG / SPAN);
  if (first >= params.rows) {
    return;
  }
  let row = first + lane / SPAN;
  let rank = lane % SPAN;
  // Lanes of rows beyond the last one go along, since all must meet at the barriers.
  let count = select(0u, params.width / 4u, row < params.rows);
  let base = row * (params.width / 4u);
  let stat = stats[min(row, params.rows - 1u)];
  var slopes: array<vec4f, 8>;
  var hats: array<vec4f, 8>;
  var sum_g = 0.0;
  var sum_gx = 0.0;
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count) {
      slopes[k] = dy[base + i] * gamma[i];
      hats[k] = (x[base + i] - stat.x) * stat.y;
      sum_g += dot(slopes[k], vec4f(1.0));
      sum_gx += dot(slopes[k], hats[k]);
    }
  }
  let mean_g = span_sum(sum_g, lane) / f32(params.width);
  let mean_gx = span_sum(sum_gx, lane) / f32(params.width);
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count) {
      dx[base + i] = stat.y * (slopes[k] - mean_g - hats[k] * mean_gx);
    }
  }
}
