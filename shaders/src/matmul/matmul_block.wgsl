// C = epilogue(alpha · op(A) op(B)), a tile of 8 LANES × 8 LANES by LANES × LANES lanes with 8 × 8 sums each, LANES terms at a time in workgroup memory
// uses: matmul, elem, gelu, epilogue, out
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu
// rows, offsets and distances of a and b are multiples of 4; k too where TB = 1; chunk too; n and all of c, bias and residual where out is vec4

// 16 for tiles of 128 × 128, 8 for 64 × 64.
override LANES: u32 = 16u;
override TA: u32 = 0u;
override TB: u32 = 0u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<Elem4>;
@group(0) @binding(2) var<storage, read> bias: array<Out>;
@group(0) @binding(3) var<storage, read> residual: array<Out>;
@group(0) @binding(4) var<storage, read_write> c: array<Out>;
@group(0) @binding(5) var<storage, read_write> pre: array<Out>;
@group(0) @binding(6) var<uniform> params: Params;

// A's [LANES, 8 LANES] and behind it B's, in vec4 along m and n: a lane reads 4 rows or 4 columns of a term at once.
var<workgroup> tile: array<vec4f, 4u * LANES * LANES>;

@compute @workgroup_size(LANES, LANES)
fn matmul_block(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_id) lane: vec3u,
  @builtin(local_invocation_index) index: u32,
) {
  let group = wg.y * groups.x + wg.x;
  let tiles_n = (params.n + 8u * LANES - 1u) / (8u * LANES);
  let tiles_m = (params.m + 8u * LANES - 1u) / (8u * LANES);
  let z = group / (tiles_n * tiles_m);
  let split = z / params.batch;
  if (split * params.chunk >= params.k) {
    return;
  }
  let outer = (z % params.batch) / params.inner_count;
  let inner = (z % params.batch) % params.inner_count;
  let row0 = ((group / tiles_n) % tiles_m) * 8u * LANES;
  let col0 = (group % tiles_n) * 8u * LANES;
  // In vec4.
  let a_base = (params.a_offset + outer * params.a_outer + inner * params.a_inner) / 4u;
  let b_base = (params.b_offset + outer * params.b_outer + inner * params.b_inner) / 4u;

  // Half of the lanes fetch A, half B: each a block of 4 terms × 4 rows (or columns), neighbours along the stored direction.
  let half = LANES * LANES / 2u;
  let fetches_a = index < half;
  let along_k = select(TB == 1u, TA == 0u, fetches_a);
  let mine = index % half;
  let term = 4u * select(mine / (2u * LANES), mine % (LANES / 4u), along_k);
  let line = select(mine % (2u * LANES), mine / (LANES / 4u), along_k);
  // Within a term the vec4s stand turned by the term's four, so that the lanes of a store meet no memory bank twice.
  let home = select(2u * LANES * LANES, 0u, fetches_a) + term * 2u * LANES + (line ^ turn(term));

  // repeat r 0..8
  var left$r = vec4f();
  var right$r = vec4f();
  // end repeat
  let end = min(params.k, (split + 1u) * params.chunk);
  let begin = split * params.chunk;
  var next: mat4x4f;
  var t = begin;
  loop {
    // The next terms travel while those in the tile are multiplied.
    if (t < end) {
      if (fetches_a) {
        next = fetch_a(a_base, row0 + 4u * line, t + term, end);
      } else {
        next = fetch_b(b_base, col0 + 4u * line, t + term, end);
      }
    }
    if (t > begin) {
      for (var i = 0u; i < LANES; i++) {
        let a_at = i * 2u * LANES;
        let b_at = a_at + 2u * LANES * LANES;
        let a0 = tile[a_at + (lane.y ^ turn(i))];
        let a1 = tile[a_at + ((lane.y + LANES) ^ turn(i))];
        let b0 = tile[b_at + (lane.x ^ turn(i))];
        let b1 = tile[b_at + ((lane.x + LANES) ^ turn(i))];
        // repeat r 0..8
        left$r += a$(r / 4)[$(r % 4)] * b0;
        right$r += a$(r / 4)[$(r % 4)] * b1;
        // end repeat
      }
      workgroupBarrier();
    }
    if (t >= end) {
      break;
    }
    // repeat i 0..4
    tile[home + $(2 * i) * LANES] = next[$i];
    // end repeat
    workgroupBarrier();
    t += LANES;
  }

  // A lane's rows are two fours, 4 LANES apart, and so are its columns.
  let row = row0 + 4u * lane.y;
  let col = col0 + 4u * lane.x;
  let far = col + 4u * LANES;
  let at = c_index(outer, inner, split, row, col);
  var sums: array<vec4f, 16>;
  // repeat r 0..8
  sums[$(2 * r)] = left$r;
  sums[$(2 * r + 1)] = right$r;
  // end repeat
  // The bound is not a constant: written out, sixty-four times the epilogue would take a compiler half a minute.
  for (var r = 0u; r < min(16u, 2u * params.m); r++) {
    let down = (r / 8u) * 4u * LANES + r / 2u % 4u;
    let right = (r % 2u) * 4u * LANES;
    if (row + down < params.m) {
      store_four(
        at + down * params.c_row + right,
        inner,
        col + right,
        max(col + right, params.n) - col - right,
        sums[r],
      );
    }
  }
}

fn turn(term: u32) -> u32 {
  return term / 4u * (32u / LANES);
}

// Where four stored words lie: one of each of 4 lines, beginning at a term; or one of each of 4 terms, beginning at a line.
fn places(along_k: bool, base: u32, row: u32, lines: u32, line: u32, term: u32) -> vec4u {
  let four = vec4u(0u, 1u, 2u, 3u);
  let last_k = params.k - 1u;
  if (along_k) {
    return base + min(line + four, vec4u(lines - 1u)) * row + min(term, last_k) / 4u;
  }
  return base + min(term + four, vec4u(last_k)) * row + min(line / 4u, row - 1u);
}

// By term, each 4 lines; 0 from `end` on.
fn by_term(along_k: bool, words: mat4x4f, term: u32, end: u32) -> mat4x4f {
  var terms = words;
  if (along_k) {
    terms = transpose(words);
  }
  // repeat i 0..4
  terms[$i] = select(vec4f(), terms[$i], term + $i < end);
  // end repeat
  return terms;
}

fn fetch_a(base: u32, line: u32, term: u32, end: u32) -> mat4x4f {
  let at = places(TA == 0u, base, params.a_row / 4u, params.m, line, term);
  return by_term(TA == 0u, mat4x4f(a[at.x], a[at.y], a[at.z], a[at.w]), term, end);
}

fn fetch_b(base: u32, line: u32, term: u32, end: u32) -> mat4x4f {
  let at = places(TB == 1u, base, params.b_row / 4u, params.n, line, term);
  return by_term(TB == 1u, mat4x4f(widen4(b[at.x]), widen4(b[at.y]), widen4(b[at.z]), widen4(b[at.w])), term, end);
}
