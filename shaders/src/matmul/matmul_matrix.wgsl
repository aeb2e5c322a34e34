// C = epilogue(alpha · op(A) op(B)) by subgroup matrices, which narrow both operands to their Part: a 64 × 64 tile by four subgroups with 32 × 32 sums each
// uses: matmul, elem, gelu, epilogue, out, matrix
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu
// rows, offsets and distances of a and b are multiples of 4; k too where TB = 1; chunk too
enable subgroups;
enable chromium_experimental_subgroup_matrix;

// Four subgroups.
override LANES: u32 = 128u;
override TA: u32 = 0u;
override TB: u32 = 0u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<Elem4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

// Matrices side by side and one below the other in a subgroup's 32 × 32.
const ACROSS = 32u / MATRIX_N;
const DOWN = 32u / MATRIX_M;

@compute @workgroup_size(LANES)
fn matmul_matrix(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(local_invocation_index) index: u32,
  @builtin(subgroup_id) own: u32,
  @builtin(subgroup_invocation_id) lane: u32,
  @builtin(subgroup_size) width: u32,
) {
  let group = wg.y * groups.x + wg.x;
  let tiles_n = (params.n + 63u) / 64u;
  let tiles_m = (params.m + 63u) / 64u;
  let z = group / (tiles_n * tiles_m);
  let split = z / params.batch;
  if (split * params.chunk >= params.k) {
    return;
  }
  let outer = (z % params.batch) / params.inner_count;
  let inner = (z % params.batch) % params.inner_count;
  let row0 = ((group / tiles_n) % tiles_m) * 64u;
  let col0 = (group % tiles_n) * 64u;
  // In vec4.
  let a_base = (params.a_offset + outer * params.a_outer + inner * params.a_inner) / 4u;
  let b_base = (params.b_offset + outer * params.b_outer + inner * params.b_inner) / 4u;
  let down = (own / 2u) * 32u;
  let across = (own % 2u) * 32u;

  // repeat s 0..16
  var sums$s: Sums;
  // end repeat
  let end = min(params.k, (split + 1u) * params.chunk);
  for (var t = split * params.chunk; t < end; t += TILE_K) {
    // Both operands as they are stored: along the terms, or along rows or columns.
    for (var i = index; i < 16u * TILE_K; i += LANES) {
      fetch_a(i, a_base, row0, t, end);
      fetch_b(i, b_base, col0, t, end);
    }
    workgroupBarrier();
    for (var i = 0u; i < TILE_K; i += MATRIX_K) {
      // Fewer matrices than four leave no code.
      // repeat d 0..4
      var left$d: Left;
      if ($d < DOWN) {
        let row = down + $d * MATRIX_M;
        if (TA == 1u) {
          left$d = subgroupMatrixLoad<Left, col_major>(&a_tile, i * BY_LINE + row, BY_LINE);
        } else {
          left$d = subgroupMatrixLoad<Left, row_major>(&a_tile, row * BY_TERM + i, BY_TERM);
        }
      }
      // end repeat
      // repeat c 0..4
      if ($c < ACROSS) {
        let col = across + $c * MATRIX_N;
        var right: Right;
        if (TB == 1u) {
          right = subgroupMatrixLoad<Right, col_major>(&b_tile, col * BY_TERM + i, BY_TERM);
        } else {
          right = subgroupMatrixLoad<Right, row_major>(&b_tile, i * BY_LINE + col, BY_LINE);
        }
        sums$c = subgroupMatrixMultiplyAccumulate(left0, right, sums$c);
        if (1u < DOWN) {
          sums$(c + 4) = subgroupMatrixMultiplyAccumulate(left1, right, sums$(c + 4));
        }
        if (2u < DOWN) {
          sums$(c + 8) = subgroupMatrixMultiplyAccumulate(left2, right, sums$(c + 8));
        }
        if (3u < DOWN) {
          sums$(c + 12) = subgroupMatrixMultiplyAccumulate(left3, right, sums$(c + 12));
        }
      }
      // end repeat
    }
    workgroupBarrier();
  }

  // Each subgroup's sums through its own part of c_tile, one matrix at a time: edges and epilogues go by columns.
  let home = own * MATRIX_M * MATRIX_N;
  // repeat s 0..16
  if ($(s / 4) < DOWN && $(s % 4) < ACROSS) {
    subgroupMatrixStore<row_major>(&c_tile, home, sums$s, MATRIX_N);
    workgroupBarrier();
    for (var i = lane; i < MATRIX_M * MATRIX_N / 4u; i += width) {
      let row = row0 + down + $(s / 4) * MATRIX_M + i / (MATRIX_N / 4u);
      let col = col0 + across + $(s % 4) * MATRIX_N + i % (MATRIX_N / 4u) * 4u;
      if (row < params.m && col < params.n) {
        let first = home + 4u * i;
        let four = vec4f(c_tile[first], c_tile[first + 1u], c_tile[first + 2u], c_tile[first + 3u]);
        store_four(c_index(outer, inner, split, row, col), inner, col, params.n - col, four);
      }
    }
    workgroupBarrier();
  }
  // end repeat
}

// The i-th four of a tile of 64 lines (rows of A, columns of B) × TILE_K terms: (line, term) of its first element.
fn place_of(i: u32, along_k: bool) -> vec2u {
  if (along_k) {
    return vec2u(i / (TILE_K / 4u), i % (TILE_K / 4u) * 4u);
  }
  return vec2u(i % 16u * 4u, i / 16u);
}

// Where it lies in memory, in vec4, with what lies outside of the matrix moved inside.
fn source_of(line: u32, term: u32, along_k: bool, base: u32, row: u32, lines: u32) -> u32 {
  let inside = min(term, params.k - 1u);
  if (along_k) {
    return base + min(line, lines - 1u) * row + inside / 4u;
  }
  return base + inside * row + min(line / 4u, row - 1u);
}

// Terms from `end` on are 0; lines outside are never stored, whatever they hold.
fn masked(four: vec4f, term: u32, along_k: bool, end: u32) -> Part4 {
  let terms = vec4u(term) + select(vec4u(), vec4u(0u, 1u, 2u, 3u), along_k);
  return Part4(select(vec4f(), four, terms < vec4u(end)));
}

fn fetch_a(i: u32, base: u32, row0: u32, t: u32, end: u32) {
  let along_k = TA == 0u;
  let at = place_of(i, along_k);
  let four = a[source_of(row0 + at.x, t + at.y, along_k, base, params.a_row / 4u, params.m)];
  let part = masked(four, t + at.y, along_k, end);
  let home = select(at.y * BY_LINE + at.x, at.x * BY_TERM + at.y, along_k);
  // repeat j 0..4
  a_tile[home + $j] = part[$j];
  // end repeat
}

fn fetch_b(i: u32, base: u32, col0: u32, t: u32, end: u32) {
  let along_k = TB == 1u;
  let at = place_of(i, along_k);
  let four = widen4(b[source_of(col0 + at.x, t + at.y, along_k, base, params.b_row / 4u, params.n)]);
  let part = masked(four, t + at.y, along_k, end);
  let home = select(at.y * BY_LINE + at.x, at.x * BY_TERM + at.y, along_k);
  // repeat j 0..4
  b_tile[home + $j] = part[$j];
  // end repeat
}
