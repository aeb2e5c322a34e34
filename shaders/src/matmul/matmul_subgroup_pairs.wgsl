// C = epilogue(alpha · op(A) op(B)) of two batch items at once, n ≤ 16: each half of a subgroup of 8 lanes makes 16 × 16 of its own item, whose A its four lanes load once and broadcast
// uses: matmul, elem, gelu, epilogue, out
// a [batch; m, k], or [batch; k, m] where TA = 1: element (row, col) at a_offset + outer · a_outer + inner · a_inner + row · a_row + col
// b [batch; k, n], or [batch; n, k] where TB = 1, strided likewise
// bias [n] at bias_offset + inner · bias_inner
// residual laid out as c
// c [batch; m, n], strided likewise; split s writes c_split further on
// pre laid out as c: the sum before gelu, written only with gelu
// rows, offsets and distances are multiples of 4; k too where TB = 1; chunk too
enable subgroups;

override TA: u32 = 0u;
override TB: u32 = 0u;

const ROWS = 16u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<Elem4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(8)
fn matmul_subgroup_pairs(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = wg.y * groups.x + wg.x;
  let tiles_m = (params.m + ROWS - 1u) / ROWS;
  let pairs = (params.batch + 1u) / 2u;
  let split = group / (tiles_m * pairs);
  if (split * params.chunk >= params.k) {
    return;
  }
  // The last pair of an odd batch is one item twice, of which one stores nothing.
  let item = 2u * ((group / tiles_m) % pairs) + lane / 4u;
  let z = min(item, params.batch - 1u);
  let outer = z / params.inner_count;
  let inner = z % params.inner_count;
  let row0 = (group % tiles_m) * ROWS;
  let rank = lane % 4u;
  let col0 = 4u * rank;

  // Everything below counts in vec4.
  let a_base = (params.a_offset + outer * params.a_outer + inner * params.a_inner) / 4u;
  let b_base = (params.b_offset + outer * params.b_outer + inner * params.b_inner) / 4u;
  let a_row = params.a_row / 4u;
  let b_row = params.b_row / 4u;
  let last_k = params.k - 1u;
  // A as stored: vec4 q of a half's lane r holds 4 terms of row 4 q + r. Stored transposed: rows 4 q to 4 q + 3 of term r.
  // repeat q 0..4
  let a_at$q = a_base + select(
    min(row0 + 4 * $q + rank, params.m - 1u) * a_row,
    min(row0 / 4u + $q, a_row - 1u),
    TA == 1u,
  );
  // end repeat
  let b_col = b_base + min(rank, b_row - 1u);
  // repeat j 0..4
  let b_at$j = b_base + min(col0 + $j, params.n - 1u) * b_row;
  // end repeat

  // repeat r 0..16
  var sum$r = vec4f();
  // end repeat

  let end = min(params.k, (split + 1u) * params.chunk);
  for (var t = split * params.chunk; t < end; t += 4u) {
    var b0: vec4f;
    var b1: vec4f;
    var b2: vec4f;
    var b3: vec4f;
    if (TB == 1u) {
      // repeat j 0..4
      let c$j = widen4(b[b_at$j + t / 4u]);
      // end repeat
      // repeat i 0..4
      b$i = vec4f(c0[$i], c1[$i], c2[$i], c3[$i]);
      // end repeat
    } else {
      // repeat i 0..4
      b$i = widen4(b[b_col + min(t + $i, last_k) * b_row]);
      // end repeat
    }
    if (TA == 1u) {
      let term = t + rank;
      let inside = term < params.k;
      let at = min(term, last_k) * a_row;
      // repeat q 0..4
      let four$q = select(vec4f(), a[a_at$q + at], inside);
      // end repeat
      // repeat q 0..4
      {
        let s0 = quadBroadcast(four$q, 0u);
        let s1 = quadBroadcast(four$q, 1u);
        let s2 = quadBroadcast(four$q, 2u);
        let s3 = quadBroadcast(four$q, 3u);
        sum$(4 * q) += s0.x * b0 + s1.x * b1 + s2.x * b2 + s3.x * b3;
        sum$(4 * q + 1) += s0.y * b0 + s1.y * b1 + s2.y * b2 + s3.y * b3;
        sum$(4 * q + 2) += s0.z * b0 + s1.z * b1 + s2.z * b2 + s3.z * b3;
        sum$(4 * q + 3) += s0.w * b0 + s1.w * b1 + s2.w * b2 + s3.w * b3;
      }
      // end repeat
    } else {
      let inside = vec4u(t, t + 1u, t + 2u, t + 3u) < vec4u(params.k);
      // repeat q 0..4
      let four$q = select(vec4f(), a[a_at$q + t / 4u], inside);
      // end repeat
      // repeat r 0..16
      {
        let s = quadBroadcast(four$(r / 4), $(r % 4));
        sum$r += s.x * b0 + s.y * b1 + s.z * b2 + s.w * b3;
      }
      // end repeat
    }
  }

  let rows = min(ROWS, params.m - row0);
  let columns = select(0u, max(col0, params.n) - col0, item < params.batch);
  let at = c_index(outer, inner, split, row0, col0);
  var sums: array<vec4f, 16>;
  // repeat r 0..16
  sums[$r] = sum$r;
  // end repeat
  for (var r = 0u; r < rows; r++) {
    store_four(at + r * params.c_row, inner, col0, columns, sums[r]);
  }
}
