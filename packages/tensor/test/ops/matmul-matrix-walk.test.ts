// The subgroup-matrix kernel's own text with its three built-in functions spelt out lane by lane: what it loads, multiplies and stores.
import * as shaders from '@limn/shaders';
import { defineKernel, type Kernel } from '@limn/gpu';
import { expectClose, expectSameBits, referenceMatmul, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import { expect, it } from 'vitest';
import { allocate, fromData } from '../../src/index.js';

/**
 * A factor is where it was loaded from, (is it by column, first element, distance), since no tile changes before it is multiplied;
 * sums are a place in memory of the lane, each of which makes all of them. Matrices are 16 × 8 and 8 × 16: fewer a tile than
 * 8 × 8 compile in less time. Bounds that are no constants keep compilers from writing loops out.
 */
const spelt = `
alias Left = vec3u;
alias Right = vec3u;
alias Sums = u32;
var<private> all_sums: array<f32, 4096>;

fn element(matrix: vec3u, row: u32, column: u32) -> u32 {
  return matrix.y + select(row * matrix.z + column, column * matrix.z + row, matrix.x == 1u);
}

fn multiply_add(left: Left, right: Right, sums: Sums) -> Sums {
  for (var i = 0u; i < min(2048u, params.k + 2048u); i++) {
    let row = i / 128u;
    let column = i / 8u % 16u;
    let term = i % 8u;
    all_sums[256u * sums + row * 16u + column] += a_tile[element(left, row, term)] * b_tile[element(right, term, column)];
  }
  return sums;
}

fn store_c_tile(lane: u32, first: u32, sums: Sums, distance: u32) {
  for (var i = 0u; i < min(256u, params.k + 256u) && lane == 0u; i++) {
    c_tile[first + i / 16u * distance + i % 16u] = all_sums[256u * sums + i];
  }
}
`;

/** The kernel as it stands, but for the names of the functions and types that only GPUs have. */
function withoutMatrices(): Kernel<typeof shaders.matmulMatrix> {
  const { matmulMatrix } = shaders;
  const prelude = matmulMatrix.preludes['matrix.f32x8']!;
  const own = prelude
    .replace(/^(enable|alias (Left|Right|Sums)) .*;$/gm, '')
    .replace(/const MATRIX_([MN]) = 8u/g, 'const MATRIX_$1 = 16u')
    .replace('c_tile: array<f32, 256>', 'c_tile: array<f32, 1024>');
  const code = matmulMatrix.code
    .replaceAll('enable chromium_experimental_subgroup_matrix;', '')
    .replace(/var sums(\d+): Sums;/g, 'var sums$1: Sums = $1u;')
    .replace(/subgroupMatrixLoad<\w+, (\w+)_major>\(&[ab]_tile,/g, (_, order) => `vec3u(${order === 'col' ? 1 : 0}u,`)
    .replaceAll('subgroupMatrixMultiplyAccumulate(', 'multiply_add(')
    .replaceAll('subgroupMatrixStore<row_major>(&c_tile,', 'store_c_tile(lane,');
  expect(code + own).not.toMatch(/subgroup_?matrix\w*[<(]/i);
  const uses = matmulMatrix.uses.map((name) => (name === 'matrix' ? 'spelt' : name));
  const preludes = { ...matmulMatrix.preludes, spelt: own + spelt };
  const shader = { ...matmulMatrix, code, uses, preludes, requires: ['subgroups'] };
  return defineKernel(shader as unknown as typeof matmulMatrix, {
    grid: ({ m, n, k, chunk }) => [Math.ceil(m / 64) * Math.ceil(n / 64) * Math.ceil(k / chunk), 1, 1],
  });
}

const random = referenceRandom(31);

it.for([
  { m: 70, n: 65, k: 19, transposeA: false, transposeB: false },
  { m: 33, n: 68, k: 20, transposeA: true, transposeB: true },
])('every element of %o is loaded, multiplied and stored at its place, edges too', async (about, context) => {
  const { m, n, k, transposeA, transposeB } = about;
  const gpu = await testGpu();
  const { adapter, source, subgroups, subgroupMin, subgroupMax } = gpu.capabilities;
  context.skip(process.env['LIMN_LONG'] !== '1', 'its text takes a compiler 10 s (LIMN_LONG=1 runs it)');
  context.skip(!subgroups || subgroupMin !== subgroupMax, 'subgroups of one size are needed');
  context.skip(
    adapter.isFallback && source === 'system',
    'lavapipe takes minutes to compile it; SwiftShader and GPUs do not',
  );
  const kernel = withoutMatrices();
  const [a, b] = [random.normals(m * k), random.normals(k * n)];
  const padded = (matrix: Float64Array, columns: number) => {
    const row = 4 * Math.ceil(columns / 4);
    const values = new Float32Array((matrix.length / columns) * row).fill(NaN);
    matrix.forEach((value, i) => (values[Math.floor(i / columns) * row + (i % columns)] = value));
    return { values, row };
  };
  const [as, bs] = [padded(a, transposeA ? m : k), padded(b, transposeB ? k : n)];
  const run = async (): Promise<Float32Array> => {
    using step = gpu.step();
    const canaries = withCanaries(step);
    const c = allocate(step, [m, n], 'c');
    const left = fromData(step, as.values, [as.values.length]).storage;
    const right = fromData(step, bs.values, [bs.values.length]).storage;
    const sizes = { m, n, k, batch: 1, inner_count: 1, chunk: k, alpha: 1, flags: 0, gelu: 0 };
    const none = {
      a_offset: 0,
      a_outer: 0,
      a_inner: 0,
      b_offset: 0,
      b_outer: 0,
      b_inner: 0,
      bias_offset: 0,
      bias_inner: 0,
    };
    step.dispatch(
      kernel,
      { a: left, b: right, bias: left, residual: left, c: c.storage, pre: step.allocate(16) },
      { ...sizes, ...none, a_row: as.row, b_row: bs.row, c_offset: 0, c_outer: 0, c_inner: 0, c_row: n, c_split: 0 },
      { overrides: { LANES: 4 * subgroupMax, TA: Number(transposeA), TB: Number(transposeB) } },
    );
    return (await canaries.read([c]))[0]!;
  };
  const got = await run();
  expectSameBits(got, await run(), 'matmul_matrix');
  expectClose(got, referenceMatmul.matmulForward(a, b, { batch: 1, m, n, k, transposeA, transposeB }), {
    kernel: 'matmul_matrix',
    case: `${m}×${n}×${k}`,
    n: k,
  });
});
