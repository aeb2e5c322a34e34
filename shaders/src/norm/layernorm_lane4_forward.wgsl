// y = (x − μ) · r · γ + β,  μ = Σ x / C,  r = 1 / √(Σ (x − μ)² / C + ε); one lane a few rows, by vec4, where barriers are dear
// x [rows, width], width a multiple of 4
// gamma [width]
// beta [width]
// y [rows, width]
// stats [rows, 2]: μ, r
struct Params {
  rows: u32,
  width: u32,
  eps: f32,
  // rows of one lane, at most 4, which share each read of gamma and beta
  share: u32,
}

override WG: u32 = 64u;

// vec4s of a row whose mean is the pilot
const PILOT = 16u;

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> gamma: array<vec4f>;
@group(0) @binding(2) var<storage, read> beta: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> stats: array<vec2f>;
@group(0) @binding(5) var<uniform> params: Params;

fn sum4(v: vec4f) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

// μ and r by sums about a pilot mean p: σ² = Σ (x − p)² / C − (μ − p)². The mean of n of C numbers is within σ √(C / n − 1) of
// theirs (Cauchy–Schwarz), so that the difference loses at most log₂(C / n) bits. First turn: the pilot; second turn: the row.
fn row_stats(base: u32, count: u32) -> vec2f {
  var mean = 0.0;
  var variance = 0.0;
  for (var turn = 0u; turn < 2u; turn++) {
    let end = select(count, min(PILOT, count), turn == 0u);
    var sum = vec4f();
    var square = vec4f();
    for (var i = 0u; i < end; i++) {
      let d = x[base + i] - mean;
      sum += d;
      square += d * d;
    }
    let scale = 1.0 / f32(4u * end);
    let shift = sum4(sum) * scale;
    variance = max(sum4(square) * scale - shift * shift, 0.0);
    mean += shift;
  }
  return vec2f(mean, 1.0 / sqrt(variance + params.eps));
}

@compute @workgroup_size(WG)
fn layernorm_lane4_forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let row = (id.y * groups.x * WG + id.x) * params.share;
  if (row >= params.rows) {
    return;
  }
  let count = params.width / 4u;
  let base = row * count;
  let rows = min(params.share, params.rows - row);
  var mean = vec4f();
  var rstd = vec4f();
  for (var r = 0u; r < rows; r++) {
    let stat = row_stats(base + r * count, count);
    stats[row + r] = stat;
    mean[r] = stat.x;
    rstd[r] = stat.y;
  }
  for (var i = 0u; i < count; i++) {
    let g = gamma[i];
    let b = beta[i];
    for (var r = 0u; r < rows; r++) {
      let at = base + r * count + i;
      y[at] = (x[at] - mean[r]) * rstd[r] * g + b;
    }
  }
}
