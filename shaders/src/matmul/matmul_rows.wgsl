// C = epilogue(alpha · op(A) op(B)) for few rows, where reading B is the work: one lane 4 columns of ROWS rows, SLICES lanes share a sum over k
// uses: matmul, elem, gelu, epilogue, out
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu
// rows, offsets and distances of b are multiples of 4; k too where TB = 1; chunk too

// Lanes side by side, each with 4 columns.
override FOURS: u32 = 8u;
// Lanes that take terms of one sum in turn; a power of 2.
override SLICES: u32 = 8u;
// 1, 2, 4 or 8: B is read once for so many rows.
override ROWS: u32 = 1u;
override TA: u32 = 0u;
override TB: u32 = 0u;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<Elem4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

var<workgroup> parts: array<vec4f, FOURS * SLICES>;

@compute @workgroup_size(FOURS * SLICES)
fn matmul_rows(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = wg.y * groups.x + wg.x;
  let tiles_n = (params.n + 4u * FOURS - 1u) / (4u * FOURS);
  let tiles_m = (params.m + ROWS - 1u) / ROWS;
  let z = group / (tiles_n * tiles_m);
  let split = z / params.batch;
  if (split * params.chunk >= params.k) {
    return;
  }
  let outer = (z % params.batch) / params.inner_count;
  let inner = (z % params.batch) % params.inner_count;
  let row0 = ((group / tiles_n) % tiles_m) * ROWS;
  // Neighbouring lanes read neighbouring words of b: next columns, or next terms where b is stored transposed.
  let four = select(lane % FOURS, lane / SLICES, TB == 1u);
  let slice = select(lane / FOURS, lane % SLICES, TB == 1u);
  let col0 = ((group % tiles_n) * FOURS + four) * 4u;

  let last_k = params.k - 1u;
  let a_base = params.a_offset + outer * params.a_outer + inner * params.a_inner;
  let a_step = select(1u, params.a_row, TA == 1u);
  // b is counted in vec4.
  let b_base = (params.b_offset + outer * params.b_outer + inner * params.b_inner) / 4u;
  let b_row = params.b_row / 4u;
  // repeat r 0..8
  let a_at$r = a_base + min(row0 + $r, params.m - 1u) * select(params.a_row, 1u, TA == 1u);
  var sum$r = vec4f();
  // end repeat

  let end = min(params.k, (split + 1u) * params.chunk);
  for (var t = split * params.chunk + 4u * slice; t < end; t += 4u * SLICES) {
    let terms = min(vec4u(t, t + 1u, t + 2u, t + 3u), vec4u(last_k));
    let inside = vec4u(t, t + 1u, t + 2u, t + 3u) < vec4u(end);
    let b0 = fetch_b(b_base, b_row, col0, t, terms);
    let places = terms * a_step;
    // Rows beyond ROWS are guarded by a constant: no code is left of them.
    // repeat r 0..8
    if ($r < ROWS) {
      sum$r += b0 * fetch_a(a_at$r + places, inside);
    }
    // end repeat
  }

  var sums: array<vec4f, 8>;
  // repeat r 0..8
  sums[$r] = sum$r;
  // end repeat
  let at = c_index(outer, inner, split, row0, col0);
  for (var r = 0u; r < min(ROWS, params.m - row0); r++) {
    var sum = sums[r];
    // Over the slices of these columns by a tree, in an order fixed by SLICES; slice 0 has the whole.
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
      parts[lane] = sum;
      workgroupBarrier();
      if (slice < half) {
        sum += parts[lane + half * select(FOURS, 1u, TB == 1u)];
      }
      workgroupBarrier();
    }
    if (slice == 0u) {
      store_four(at + r * params.c_row, inner, col0, max(col0, params.n) - col0, sum);
    }
  }
}

// Four terms of one row of A; 0 outside.
fn fetch_a(at: vec4u, inside: vec4<bool>) -> vec4f {
  return select(vec4f(), vec4f(a[at.x], a[at.y], a[at.z], a[at.w]), inside);
}

// By term, four columns of B; of what lies outside, something inside.
fn fetch_b(base: u32, row: u32, col: u32, t: u32, terms: vec4u) -> mat4x4f {
  if (TB == 1u) {
    let at = base + min(col + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u)) * row + t / 4u;
    return transpose(mat4x4f(widen4(b[at.x]), widen4(b[at.y]), widen4(b[at.z]), widen4(b[at.w])));
  }
  let at = base + min(col / 4u, row - 1u) + terms * row;
  return mat4x4f(widen4(b[at.x]), widen4(b[at.y]), widen4(b[at.z]), widen4(b[at.w]));
}
