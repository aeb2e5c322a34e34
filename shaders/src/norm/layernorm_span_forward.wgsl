// y = (x − μ) · r · γ + β,  μ = Σ x / C,  r = 1 / √(Σ (x − μ)² / C + ε); SPAN lanes a row, which they hold in registers as vec4s
// uses: span
// x [rows, width], width a multiple of 4 and at most 32 · SPAN
// gamma [width]
// beta [width]
// y [rows, width]
// stats [rows, 2]: μ, r
struct Params {
  rows: u32,
  width: u32,
  eps: f32,
}

override WG: u32 = 64u;
override SPAN: u32 = 64u;
// vec4s of a row that a lane holds: ⌈width / 4 SPAN⌉
override HELD: u32 = 8u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(2) var<storage, read> beta: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(WG)
fn layernorm_span_forward(
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
  var held: array<vec4f, 8>;
  var sum = 0.0;
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count) {
      held[k] = x[base + i];
      sum += dot(held[k], vec4f(1.0));
    }
  }
  let mean = span_sum(sum, lane) / f32(params.width);
  var square = 0.0;
  for (var k = 0u; k < HELD; k++) {
    if (rank + k * SPAN < count) {
      let d = held[k] - mean;
      square += dot(d, d);
    }
  }
  let variance = span_sum(square, lane) / f32(params.width);
  let rstd = 1.0 / sqrt(variance + params.eps);
  for (var k = 0u; k < HELD; k++) {
    let i = rank + k * SPAN;
    if (i < count) {
      y[base + i] = (held[k] - mean) * rstd * gamma[i] + beta[i];
    }
  }
  if (rank == 0u && row < params.rows) {
    stats[row] = vec2f(mean, rstd);
  }
}
