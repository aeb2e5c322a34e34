// Low-rank terms by task against float64: awkward widths and ranks, tasks of no and of many rows, rows of none; bits that do not depend on who is beside a task.
import { defaultLimits, dryGpu } from '@limn/gpu';
import { describe, expect, it } from 'vitest';
import { expectSameBits, referenceLowRank, referenceRandom, testGpu, withCanaries } from '@limn/testing';
import {
  fill,
  fromData,
  gradients,
  lowRank,
  lowRankByTask,
  lowRankDown,
  lowRankUp,
  TASK_RUN,
  taskRows,
  type Tensor,
} from '../../src/index.js';
import { checkOp } from '../check-op.js';

const random = referenceRandom(67);
const { lowRankForward, lowRankVjp } = referenceLowRank;

/** Tasks of rows in runs of given lengths, −1 for none. */
const runsOf = (...runs: readonly (readonly [task: number, rows: number])[]): Int32Array =>
  Int32Array.from(runs.flatMap(([task, rows]) => Array.from({ length: rows }, () => task)));

describe('lowRankByTask', () => {
  it.each([
    { name: 'one row of one number', tasks: runsOf([0, 1]), count: 1, rank: 1, inWidth: 1, outWidth: 1 },
    {
      name: 'rank 1, whole vec4s',
      tasks: runsOf([0, 5], [1, 4], [3, 7]),
      count: 5,
      rank: 1,
      inWidth: 36,
      outWidth: 68,
    },
    { name: 'rank 1, odd widths', tasks: runsOf([0, 3], [2, 9]), count: 3, rank: 1, inWidth: 37, outWidth: 67 },
    { name: 'rank 2', tasks: runsOf([1, 6], [0, 2], [1, 3]), count: 2, rank: 2, inWidth: 64, outWidth: 20 },
    { name: 'rank 3', tasks: runsOf([0, 4], [-1, 3], [1, 5]), count: 2, rank: 3, inWidth: 12, outWidth: 31 },
    { name: 'rank 8', tasks: runsOf([0, 5], [1, 5]), count: 2, rank: 8, inWidth: 33, outWidth: 32 },
    { name: 'rank 17', tasks: runsOf([-1, 1], [0, 9], [-1, 2]), count: 1, rank: 17, inWidth: 20, outWidth: 24 },
    { name: 'rank 64', tasks: runsOf([0, 3], [1, 2]), count: 2, rank: 64, inWidth: 8, outWidth: 9 },
  ])('$name', async ({ name, tasks, count, rank, inWidth, outWidth }) => {
    const rows = tasks.length;
    const scales = random.normals(count);
    const about = { tasks, scales, rank, inWidth, outWidth };
    const [x, a] = [random.normals(rows * inWidth), random.normals(count * rank * inWidth)];
    const [b, base] = [random.normals(count * outWidth * rank), random.normals(rows * outWidth)];
    for (const based of [true, false])
      await checkOp({
        kernel: 'lowRankByTask',
        case: `${name}${based ? '' : ', no base'}`,
        inputs: [
          { shape: [rows, inWidth], values: x },
          { shape: [count, rank, inWidth], values: a },
          { shape: [count, outWidth, rank], values: b },
          ...(based ? [{ shape: [rows, outWidth], values: base }] : []),
          { shape: [count], values: scales, differentiable: false },
        ],
        run: (step, inputs) =>
          lowRankByTask(step, inputs[0]!, inputs[1]!, inputs[2]!, taskRows(step, tasks, count), {
            scales: inputs.at(-1)!,
            ...(based ? { base: inputs[3]! } : {}),
          }),
        expected: lowRankForward(about, x, a, b, based ? base : undefined),
        // Of a sum of `inWidth` and one of `rank` terms.
        n: inWidth + rank,
        vjp: (seed) => {
          const d = lowRankVjp(about, x, a, b, seed);
          return [d.x, d.a, d.b, ...(based ? [{ values: seed, magnitude: new Float64Array(seed.length) }] : [])];
        },
        vjpN: [outWidth + rank, outWidth + rows, inWidth + rows, 1],
        masks: name === 'rank 3',
      });
  });

  it('sums a long task in runs, beside short ones and ones without rows', async () => {
    const [rank, inWidth, outWidth, count] = [2, 5, 8, 4];
    const tasks = runsOf([0, 3], [2, 2 * TASK_RUN + 5], [3, TASK_RUN]);
    const rows = tasks.length;
    const scales = random.normals(count);
    const about = { tasks, scales, rank, inWidth, outWidth };
    const [x, a] = [random.normals(rows * inWidth), random.normals(count * rank * inWidth)];
    const b = random.normals(count * outWidth * rank);
    const ran = await checkOp({
      kernel: 'lowRankByTask',
      case: 'long task',
      inputs: [
        { shape: [rows, inWidth], values: x },
        { shape: [count, rank, inWidth], values: a },
        { shape: [count, outWidth, rank], values: b },
        { shape: [count], values: scales, differentiable: false },
      ],
      run: (step, [x, a, b, scales]) =>
        lowRankByTask(step, x!, a!, b!, taskRows(step, tasks, count), { scales: scales! }),
      expected: lowRankForward(about, x, a, b),
      n: inWidth + rank,
      vjp: (seed) => {
        const d = lowRankVjp(about, x, a, b, seed);
        return [d.x, d.a, d.b];
      },
      vjpN: [outWidth + rank, outWidth + rows, inWidth + rows],
    });
    expect([...ran].filter((kernel) => kernel.startsWith('low_rank')).sort()).toEqual([
      'low_rank_down',
      'low_rank_down4',
      'low_rank_join',
      'low_rank_sums',
      'low_rank_sums4',
      'low_rank_up',
      'low_rank_up4',
    ]);
  });

  it.each([
    { start: 0, count: 4 },
    { start: 4, count: 8 },
    { start: 5, count: 3 },
  ])('onto the columns from $start, $count of 12', async (columns) => {
    const [tasks, rank, inWidth, outWidth] = [runsOf([1, 5], [0, 3], [-1, 1]), 2, 6, 12];
    const rows = tasks.length;
    const scales = random.normals(2);
    const about = { tasks, scales, rank, inWidth, outWidth, columns };
    const [x, a, b] = [
      random.normals(rows * inWidth),
      random.normals(2 * rank * inWidth),
      random.normals(2 * outWidth * rank),
    ];
    const base = random.normals(rows * columns.count);
    await checkOp({
      kernel: 'lowRankUp',
      case: `columns from ${columns.start}`,
      inputs: [
        { shape: [rows, inWidth], values: x },
        { shape: [2, rank, inWidth], values: a },
        { shape: [2, outWidth, rank], values: b },
        { shape: [3, 3, columns.count], values: base },
        { shape: [2], values: scales, differentiable: false },
      ],
      run: (step, [x, a, b, base, scales]) => {
        const list = taskRows(step, tasks, 2);
        return lowRankUp(step, lowRankDown(step, x!, a!, list), b!, list, { base: base!, scales: scales!, columns });
      },
      expected: lowRankForward(about, x, a, b, base),
      n: inWidth + rank,
      vjp: (seed) => {
        const d = lowRankVjp(about, x, a, b, seed);
        return [d.x, d.a, d.b, { values: seed, magnitude: new Float64Array(seed.length) }];
      },
      vjpN: [columns.count + rank, columns.count + rows, inWidth + rows, 1],
    });
  });
});

/** The rows of one task, with its factors, and what came of them. */
interface Own {
  readonly rows: number;
  readonly x: Float64Array;
  readonly seed: Float64Array;
  readonly a: Float64Array;
  readonly b: Float64Array;
}

describe('a task', () => {
  const [rank, inWidth, outWidth] = [3, 20, 12];
  const ownOf = (rows: number): Own => ({
    rows,
    x: random.normals(rows * inWidth),
    seed: random.normals(rows * outWidth),
    a: random.normals(rank * inWidth),
    b: random.normals(outWidth * rank),
  });

  /** y, dx, dA and dB of tasks in one pass; `places[n]` are the rows of task n among `rows`. */
  async function together(tasks: readonly Own[], places: readonly (readonly number[])[], rows: number) {
    const gpu = await testGpu();
    using step = gpu.step();
    const canaries = withCanaries(step);
    const of = new Int32Array(rows).fill(-1);
    // What stands in rows without a task must not matter.
    const [x, seed] = [random.normals(rows * inWidth), random.normals(rows * outWidth)];
    tasks.forEach((own, n) =>
      places[n]!.forEach((row, k) => {
        of[row] = n;
        x.set(own.x.subarray(k * inWidth, (k + 1) * inWidth), row * inWidth);
        seed.set(own.seed.subarray(k * outWidth, (k + 1) * outWidth), row * outWidth);
      }),
    );
    const joined = (part: 'a' | 'b'): Float32Array => Float32Array.from(tasks.flatMap((own) => [...own[part]]));
    const X = fromData(step, Float32Array.from(x), [rows, inWidth]);
    const A = fromData(step, joined('a'), [tasks.length, rank, inWidth]);
    const B = fromData(step, joined('b'), [tasks.length, outWidth, rank]);
    const y = lowRankByTask(step, X, A, B, taskRows(step, of, tasks.length));
    const grads = gradients(step, y, fromData(step, Float32Array.from(seed), y.shape), [X, A, B]);
    const [ys, dx, da, db] = (await canaries.read([y, ...grads])) as [
      Float32Array,
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    return tasks.map((_, n) => ({
      y: Float32Array.from(places[n]!.flatMap((row) => [...ys.subarray(row * outWidth, (row + 1) * outWidth)])),
      dx: Float32Array.from(places[n]!.flatMap((row) => [...dx.subarray(row * inWidth, (row + 1) * inWidth)])),
      da: da.slice(n * rank * inWidth, (n + 1) * rank * inWidth),
      db: db.slice(n * outWidth * rank, (n + 1) * outWidth * rank),
    }));
  }

  const run = (start: number, count: number): number[] => Array.from({ length: count }, (_, i) => start + i);

  it('has the same bits alone, in any group and at any place, also where others are long', async () => {
    const [own, other, long] = [ownOf(10), ownOf(7), ownOf(TASK_RUN + 30)];
    const [alone] = await together([own], [run(0, 10)], 10);
    const groups = await Promise.all([
      together([other, own], [run(0, 7), run(7, 10)], 17),
      together([own, other], [run(3, 10), run(13, 7)], 24),
      // Its rows apart, between those of others and rows of no task.
      together([other, own], [[1, 4, 7, 10, 13, 16, 19], run(0, 10).map((k) => 3 * k + 2)], 31),
      together([long, own], [run(0, TASK_RUN + 30), run(TASK_RUN + 30, 10)], TASK_RUN + 40),
    ]);
    groups.forEach((group, g) => {
      const at = g === 1 ? 0 : 1;
      for (const what of ['y', 'dx', 'da', 'db'] as const)
        expectSameBits(group[at]![what], alone![what], `group ${g}, ${what}`);
    });
    const [longAlone] = await together([long], [run(0, TASK_RUN + 30)], TASK_RUN + 30);
    for (const what of ['y', 'dx', 'da', 'db'] as const)
      expectSameBits(groups[3]![0]![what], longAlone![what], `long, ${what}`);
  });

  it('of a lower rank, padded with zeros, has gradient 0 where it is padded and its own elsewhere', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const padded = fromData(
      step,
      Float32Array.from({ length: 2 * 3 * 8 }, (_, i) => (i % 24 < 8 ? Math.cos(i) : 0)),
      [2, 3, 8],
    );
    // Rank 1 of 3: columns 1 and 2 of B are 0 as well.
    const b = fromData(
      step,
      Float32Array.from({ length: 2 * 5 * 3 }, (_, i) => (i % 3 === 0 ? Math.sin(i + 1) : 0)),
      [2, 5, 3],
    );
    const x = fromData(step, Float32Array.from(random.normals(6 * 8)), [6, 8]);
    const y = lowRankByTask(step, x, padded, b, taskRows(step, { offsets: Uint32Array.of(0, 4, 6), rows: 6 }, 2));
    const seed = fromData(step, Float32Array.from(random.normals(30)), [6, 5]);
    const grads = gradients(step, y, seed, [padded, b]);
    const [da, db] = (await withCanaries(step).read(grads)) as [Float32Array, Float32Array];
    da.forEach((value, i) => expect(value !== 0).toBe(i % 24 < 8));
    db.forEach((value, i) => expect(value !== 0).toBe(i % 3 === 0));
  });
});

describe('work', () => {
  const sizes = { N: 3, R: 12, inWidth: 8, outWidth: 12 };

  async function dispatches(wanted: readonly ('x' | 'a' | 'b')[]): Promise<string[]> {
    const gpu = await testGpu();
    using step = gpu.step();
    const { N, R, inWidth, outWidth } = sizes;
    const x = fill(step, [R, inWidth], 1);
    const a = fill(step, [N, 1, inWidth], 1);
    const b = fill(step, [N, outWidth, 1], 1);
    const rows = taskRows(step, { offsets: Uint32Array.of(0, 4, 8, 12), rows: R }, N);
    const y = lowRankByTask(step, x, a, b, rows, { base: fill(step, [R, outWidth], 1) });
    const named: string[] = [];
    const dispatch = step.dispatch.bind(step);
    step.dispatch = (kernel, bindings, uniforms, options) => {
      named.push(kernel.shader.name);
      dispatch(kernel, bindings, uniforms, options);
    };
    const tensors: Record<'x' | 'a' | 'b', Tensor> = { x, a, b };
    gradients(
      step,
      y,
      fill(step, y.shape, 1),
      wanted.map((name) => tensors[name]),
    );
    return named.filter((name) => name.startsWith('low_rank'));
  }

  it('is only that of the gradients that are asked for', async () => {
    expect(await dispatches(['x'])).toEqual(['low_rank_down4', 'low_rank_up4']);
    expect(await dispatches(['b'])).toEqual(['low_rank_sums4']);
    expect(await dispatches(['a'])).toEqual(['low_rank_down4', 'low_rank_sums4']);
    expect((await dispatches(['x', 'a', 'b'])).sort()).toEqual([
      'low_rank_down4',
      'low_rank_sums4',
      'low_rank_sums4',
      'low_rank_up4',
    ]);
  });

  it('of steps with other lengths of tasks shares a plan, which makes nothing new', async () => {
    const gpu = await testGpu();
    const { N, R, inWidth, outWidth } = sizes;
    const update = async (...ends: readonly number[]): Promise<void> => {
      using step = gpu.step();
      const x = fromData(step, new Float32Array(R * inWidth).fill(1), [R, inWidth]);
      const a = fromData(step, new Float32Array(N * inWidth).fill(1), [N, 1, inWidth]);
      const b = fromData(step, new Float32Array(N * outWidth).fill(1), [N, outWidth, 1]);
      const y = lowRankByTask(step, x, a, b, taskRows(step, { offsets: Uint32Array.of(0, ...ends), rows: R }, N));
      gradients(step, y, 'ones', [x, a, b]);
      await step.submit();
    };
    await update(4, 8, 12);
    const before = gpu.counters.snapshot();
    await update(1, 2, 3);
    await update(0, 0, 12);
    const after = gpu.counters.snapshot();
    for (const name of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const)
      expect([name, after[name] - before[name]]).toEqual([name, 0]);
  });

  it('of 64 diffs of GPT-2 small is planned within default limits, and of 4,096 rows of one task', () => {
    const gpu = dryGpu({ limits: defaultLimits });
    for (const [N, rank, R] of [
      [64, 1, 4096],
      [1, 128, 4096],
    ] as const) {
      using step = gpu.step();
      const x = fill(step, [R, 768], 1);
      const a = fill(step, [N, rank, 768], 1);
      const b = fill(step, [N, 2304, rank], 1);
      const rows = taskRows(
        step,
        Int32Array.from({ length: R }, (_, r) => Math.floor((r * N) / R)),
        N,
      );
      gradients(step, lowRankByTask(step, x, a, b, rows), 'ones', [x, a, b]);
      expect(step.plan().dispatches).toBeGreaterThan(4);
    }
  });

  it('that no device could bind is refused with how many tasks fit', () => {
    const gpu = dryGpu({ limits: { ...defaultLimits, maxStorageBufferBindingSize: 2 ** 31, maxBufferSize: 2 ** 31 } });
    using step = gpu.step();
    const rows = taskRows(step, new Int32Array(8), 3000);
    const [x, a] = [fill(step, [8, 768], 1), fill(step, [3000, 16, 768], 1)];
    expect(() => lowRankDown(step, x, a, rows)).toThrow(
      expect.objectContaining({ code: 'tensor/too-many-tasks', details: expect.objectContaining({ fit: 2730 }) }),
    );
  });

  it('without sense is refused', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const shape = expect.objectContaining({ code: 'tensor/shape' });
    expect(() => taskRows(step, Int32Array.of(0, 2), 2)).toThrow(/no task 2 among 2/);
    expect(() => taskRows(step, Int32Array.of(-2), 2)).toThrow(shape);
    expect(() => taskRows(step, new Int32Array(0), 1)).toThrow(/no rows/);
    expect(() => taskRows(step, { offsets: Uint32Array.of(0, 3, 2), rows: 4 }, 2)).toThrow(/do not cut 4 rows/);
    expect(() => taskRows(step, { offsets: Uint32Array.of(0, 5), rows: 4 }, 1)).toThrow(shape);
    const rows = taskRows(step, Int32Array.of(0, 1, 1), 2);
    const x = fill(step, [3, 5], 1);
    const a = fill(step, [2, 1, 5], 1);
    const b = fill(step, [2, 7, 1], 1);
    expect(() => lowRankByTask(step, x, fill(step, [3, 1, 5], 1), b, rows)).toThrow(/3 tasks, but rows are of 2/);
    expect(() => lowRankByTask(step, x, fill(step, [2, 1, 6], 1), b, rows)).toThrow(shape);
    expect(() => lowRankByTask(step, fill(step, [7, 5], 1), a, b, rows)).toThrow(/not of 3 rows/);
    expect(() => lowRankByTask(step, x, a, fill(step, [2, 7, 2], 1), rows)).toThrow(shape);
    expect(() => lowRankByTask(step, x, a, b, rows, { base: fill(step, [3, 6], 1) })).toThrow(/as wide as the columns/);
    expect(() => lowRankByTask(step, x, a, b, rows, { columns: { start: 6, count: 2 } })).toThrow(/columns \[6, 8\)/);
    expect(() => lowRankByTask(step, x, a, b, rows, { scales: fill(step, [3], 1) })).toThrow(shape);
  });
});

describe('lowRank', () => {
  it('is the term of one task that owns all rows', async () => {
    const [rows, rank, inWidth, outWidth] = [9, 5, 13, 11];
    const about = { tasks: new Int32Array(rows), scales: Float64Array.of(0.25), rank, inWidth, outWidth };
    const [x, a, b] = [random.normals(rows * inWidth), random.normals(rank * inWidth), random.normals(outWidth * rank)];
    const base = random.normals(rows * outWidth);
    await checkOp({
      kernel: 'lowRank',
      case: 'all rows',
      inputs: [
        { shape: [3, 3, inWidth], values: x },
        { shape: [rank, inWidth], values: a },
        { shape: [outWidth, rank], values: b },
        { shape: [3, 3, outWidth], values: base },
      ],
      run: (step, [x, a, b, base]) => lowRank(step, x!, a!, b!, { scale: 0.25, base: base! }),
      expected: lowRankForward(about, x, a, b, base),
      n: inWidth + rank,
      vjp: (seed) => {
        const d = lowRankVjp(about, x, a, b, seed);
        return [d.x, d.a, d.b, { values: seed, magnitude: new Float64Array(seed.length) }];
      },
      vjpN: [outWidth + rank, outWidth + rows, inWidth + rows, 1],
    });
    const gpu = await testGpu();
    using step = gpu.step();
    expect(() => lowRank(step, fill(step, [3, 4], 1), fill(step, [1, 2, 4], 1), fill(step, [4, 2], 1))).toThrow(
      /rank 2/,
    );
  });
});
