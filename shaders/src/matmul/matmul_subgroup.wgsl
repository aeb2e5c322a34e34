// C = epilogue(alpha · op(A) op(B)), one subgroup of 8 lanes a 16 × 32 tile: A is loaded once a row and broadcast from registers
// uses: matmul, elem, gelu, epilogue
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

const TILE_M = 16u;
const TILE_N = 32u;

@group(0) @binding(0) var<storage, read> a: array<vec4f>;
@group(0) @binding(1) var<storage, read> b: array<Elem4>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read> residual: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;
@group(0) @binding(5) var<storage, read_write> pre: array<f32>;
@group(0) @binding(6) var<uniform> params: Params;

@compute @workgroup_size(8)
fn matmul_subgroup(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) groups: vec3u,
  @builtin(subgroup_invocation_id) lane: u32,
) {
  let group = wg.y * groups.x + wg.x;
  let tiles_n = (params.n + TILE_N - 1u) / TILE_N;
  let tiles_m = (params.m + TILE_M - 1u) / TILE_M;
  let z = group / (tiles_n * tiles_m);
  let split = z / params.batch;
  if (split * params.chunk >= params.k) {
    return;
  }
  let outer = (z % params.batch) / params.inner_count;
  let inner = (z % params.batch) % params.inner_count;
  let row0 = ((group / tiles_n) % tiles_m) * TILE_M;
  let col0 = (group % tiles_n) * TILE_N + 4u * lane;

  // Everything below counts in vec4.
  let a_base = (params.a_offset + outer * params.a_outer + inner * params.a_inner) / 4u;
  let b_base = (params.b_offset + outer * params.b_outer + inner * params.b_inner) / 4u;
  let a_row = params.a_row / 4u;
  let b_row = params.b_row / 4u;
  let last_k = params.k - 1u;
  // A as stored: lane r holds 4 terms of rows r and 8 + r. Stored transposed: lane r holds 4 rows of term r % 4.
  var a_low = a_base + min(row0 + lane, params.m - 1u) * a_row;
  var a_high = a_base + min(row0 + lane + 8u, params.m - 1u) * a_row;
  if (TA == 1u) {
    a_low = a_base + min(row0 / 4u + lane / 4u, a_row - 1u);
    a_high = a_base + min(row0 / 4u + lane / 4u + 2u, a_row - 1u);
  }
  var b_col = b_base + min(col0 / 4u, b_row - 1u);
  let b_at0 = b_base + min(col0, params.n - 1u) * b_row;
  let b_at1 = b_base + min(col0 + 1u, params.n - 1u) * b_row;
  let b_at2 = b_base + min(col0 + 2u, params.n - 1u) * b_row;
  let b_at3 = b_base + min(col0 + 3u, params.n - 1u) * b_row;

  var sum0 = vec4f();
  var sum1 = vec4f();
  var sum2 = vec4f();
  var sum3 = vec4f();
  var sum4 = vec4f();
  var sum5 = vec4f();
  var sum6 = vec4f();
  var sum7 = vec4f();
  var sum8 = vec4f();
  var sum9 = vec4f();
  var sum10 = vec4f();
  var sum11 = vec4f();
  var sum12 = vec4f();
  var sum13 = vec4f();
  var sum14 = vec4f();
  var sum15 = vec4f();

  let end = min(params.k, (split + 1u) * params.chunk);
  for (var t = split * params.chunk; t < end; t += 4u) {
    var b0: vec4f;
    var b1: vec4f;
    var b2: vec4f;
    var b3: vec4f;
    if (TB == 1u) {
      let at = t / 4u;
      let c0 = widen4(b[b_at0 + at]);
      let c1 = widen4(b[b_at1 + at]);
      let c2 = widen4(b[b_at2 + at]);
      let c3 = widen4(b[b_at3 + at]);
      b0 = vec4f(c0.x, c1.x, c2.x, c3.x);
      b1 = vec4f(c0.y, c1.y, c2.y, c3.y);
      b2 = vec4f(c0.z, c1.z, c2.z, c3.z);
      b3 = vec4f(c0.w, c1.w, c2.w, c3.w);
    } else {
      b0 = widen4(b[b_col + t * b_row]);
      b1 = widen4(b[b_col + min(t + 1u, last_k) * b_row]);
      b2 = widen4(b[b_col + min(t + 2u, last_k) * b_row]);
      b3 = widen4(b[b_col + min(t + 3u, last_k) * b_row]);
    }
    if (TA == 1u) {
      let term = t + lane % 4u;
      let inside = term < params.k;
      let at = min(term, last_k) * a_row;
      let low = select(vec4f(), a[a_low + at], inside);
      let high = select(vec4f(), a[a_high + at], inside);
      let s00 = subgroupBroadcast(low, 0u);
      let s01 = subgroupBroadcast(low, 1u);
      let s02 = subgroupBroadcast(low, 2u);
      let s03 = subgroupBroadcast(low, 3u);
      sum0 += s00.x * b0 + s01.x * b1 + s02.x * b2 + s03.x * b3;
      sum1 += s00.y * b0 + s01.y * b1 + s02.y * b2 + s03.y * b3;
      sum2 += s00.z * b0 + s01.z * b1 + s02.z * b2 + s03.z * b3;
      sum3 += s00.w * b0 + s01.w * b1 + s02.w * b2 + s03.w * b3;
      let s10 = subgroupBroadcast(low, 4u);
      let s11 = subgroupBroadcast(low, 5u);
      let s12 = subgroupBroadcast(low, 6u);
      let s13 = subgroupBroadcast(low, 7u);
      sum4 += s10.x * b0 + s11.x * b1 + s12.x * b2 + s13.x * b3;
      sum5 += s10.y * b0 + s11.y * b1 + s12.y * b2 + s13.y * b3;
      sum6 += s10.z * b0 + s11.z * b1 + s12.z * b2 + s13.z * b3;
      sum7 += s10.w * b0 + s11.w * b1 + s12.w * b2 + s13.w * b3;
      let s20 = subgroupBroadcast(high, 0u);
      let s21 = subgroupBroadcast(high, 1u);
      let s22 = subgroupBroadcast(high, 2u);
      let s23 = subgroupBroadcast(high, 3u);
      sum8 += s20.x * b0 + s21.x * b1 + s22.x * b2 + s23.x * b3;
      sum9 += s20.y * b0 + s21.y * b1 + s22.y * b2 + s23.y * b3;
      sum10 += s20.z * b0 + s21.z * b1 + s22.z * b2 + s23.z * b3;
      sum11 += s20.w * b0 + s21.w * b1 + s22.w * b2 + s23.w * b3;
      let s30 = subgroupBroadcast(high, 4u);
      let s31 = subgroupBroadcast(high, 5u);
      let s32 = subgroupBroadcast(high, 6u);
      let s33 = subgroupBroadcast(high, 7u);
      sum12 += s30.x * b0 + s31.x * b1 + s32.x * b2 + s33.x * b3;
      sum13 += s30.y * b0 + s31.y * b1 + s32.y * b2 + s33.y * b3;
      sum14 += s30.z * b0 + s31.z * b1 + s32.z * b2 + s33.z * b3;
      sum15 += s30.w * b0 + s31.w * b1 + s32.w * b2 + s33.w * b3;
    } else {
      let inside = vec4u(t, t + 1u, t + 2u, t + 3u) < vec4u(params.k);
      let low = select(vec4f(), a[a_low + t / 4u], inside);
      let high = select(vec4f(), a[a_high + t / 4u], inside);
      let s0 = subgroupBroadcast(low, 0u);
      sum0 += s0.x * b0 + s0.y * b1 + s0.z * b2 + s0.w * b3;
      let s1 = subgroupBroadcast(low, 1u);
      sum1 += s1.x * b0 + s1.y * b1 + s1.z * b2 + s1.w * b3;
      let s2 = subgroupBroadcast(low, 2u);
      sum2 += s2.x * b0 + s2.y * b1 + s2.z * b2 + s2.w * b3;
      let s3 = subgroupBroadcast(low, 3u);
      sum3 += s3.x * b0 + s3.y * b1 + s3.z * b2 + s3.w * b3;
      let s4 = subgroupBroadcast(low, 4u);
      sum4 += s4.x * b0 + s4.y * b1 + s4.z * b2 + s4.w * b3;
      let s5 = subgroupBroadcast(low, 5u);
      sum5 += s5.x * b0 + s5.y * b1 + s5.z * b2 + s5.w * b3;
      let s6 = subgroupBroadcast(low, 6u);
      sum6 += s6.x * b0 + s6.y * b1 + s6.z * b2 + s6.w * b3;
      let s7 = subgroupBroadcast(low, 7u);
      sum7 += s7.x * b0 + s7.y * b1 + s7.z * b2 + s7.w * b3;
      let s8 = subgroupBroadcast(high, 0u);
      sum8 += s8.x * b0 + s8.y * b1 + s8.z * b2 + s8.w * b3;
      let s9 = subgroupBroadcast(high, 1u);
      sum9 += s9.x * b0 + s9.y * b1 + s9.z * b2 + s9.w * b3;
      let s10 = subgroupBroadcast(high, 2u);
      sum10 += s10.x * b0 + s10.y * b1 + s10.z * b2 + s10.w * b3;
      let s11 = subgroupBroadcast(high, 3u);
      sum11 += s11.x * b0 + s11.y * b1 + s11.z * b2 + s11.w * b3;
      let s12 = subgroupBroadcast(high, 4u);
      sum12 += s12.x * b0 + s12.y * b1 + s12.z * b2 + s12.w * b3;
      let s13 = subgroupBroadcast(high, 5u);
      sum13 += s13.x * b0 + s13.y * b1 + s13.z * b2 + s13.w * b3;
      let s14 = subgroupBroadcast(high, 6u);
      sum14 += s14.x * b0 + s14.y * b1 + s14.z * b2 + s14.w * b3;
      let s15 = subgroupBroadcast(high, 7u);
      sum15 += s15.x * b0 + s15.y * b1 + s15.z * b2 + s15.w * b3;
    }
  }

  var sums = array<vec4f, 16>(
    sum0,
    sum1,
    sum2,
    sum3,
    sum4,
    sum5,
    sum6,
    sum7,
    sum8,
    sum9,
    sum10,
    sum11,
    sum12,
    sum13,
    sum14,
    sum15,
  );
  for (var r = 0u; r < min(TILE_M, params.m - row0); r++) {
    for (var i = 0u; i < 4u; i++) {
      if (col0 + i < params.n) {
        store_c(c_index(outer, inner, split, row0 + r, col0 + i), inner, col0 + i, sums[r][i]);
      }
    }
  }
}
