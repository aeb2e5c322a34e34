// The loss of a group against its formula in float64 and its slopes against finite differences; the teacher's cache; rows that are refused.
import type { Step } from '@limn/gpu';
import { tokenBatch } from '@limn/hooks';
import { fillNormal, readFloats, type Tensor } from '@limn/tensor';
import { expectSameBits, refusal, testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { trainDiffs } from '../src/index.js';
import { answeredRow, diffBatch, type AnsweredRow } from '../src/diffs/diff-batch.js';
import type { DiffRow, DiffShape } from '../src/diffs/diff-spec.js';
import { DiffStack } from '../src/diffs/diff-stack.js';
import { recordSlopes } from '../src/diffs/diff-updates.js';
import { Teacher } from '../src/diffs/teacher.js';
import { diff, gatedRows, options, toyModel } from './diffs-job.js';

let toy: ToyModel;
beforeAll(async () => {
  toy = toyModel(await testGpu());
});
afterAll(() => toy.dispose());

const SHAPE: DiffShape = { tasks: 2, rows: 3, positions: 8, answers: 3, taught: 6 };
const RANK = 2;
const REVERSE = 0.7;

const answered = (rows: readonly DiffRow[]): AnsweredRow[] =>
  rows.map((row, r) => answeredRow(row, { id: 'x', round: 0, row: r }, SHAPE, toy.info));

function stackOf(seed: number): DiffStack {
  const diffs = [1, 3].map((alpha) => ({ rank: RANK, alpha, rsLora: false }));
  const stack = DiffStack.create(toy.gpu, toy.linears(), diffs, RANK);
  stack.parameters.forEach(({ tensor }, stream) =>
    toy.gpu.write(tensor.storage, fillNormal(new Float32Array(tensor.size), { seed, stream }, 0.3)),
  );
  return stack;
}

async function teacherOf(rows: readonly (readonly AnsweredRow[])[], shape = SHAPE) {
  const batch = diffBatch(rows, shape, { ids: ['x', 'y'], round: 0 });
  return { batch, teacher: await new Teacher(toy, shape, 0).places(batch.taught) };
}

test('the loss of each task is the weighted mean of its rows, as computed from logits in float64', async () => {
  const rows = [answered(gatedRows(14, 3)), answered(gatedRows(17, 1).slice(0, 2))];
  const { batch, teacher } = await teacherOf(rows);
  using stack = stackOf(5);
  const step = toy.gpu.step();
  const { losses } = recordSlopes(step, toy, stack, batch, { teacher, reverse: REVERSE });
  const all = rows.flat();
  const taskOfRow = rows.flatMap((own, task) => own.map(() => task));
  const tokens = tokenBatch(
    all.map((row) => row.tokens),
    toy.info,
  );
  const [found, student, bare] = await Promise.all([
    readFloats(step, losses),
    readFloats(step, toy.run(step, { tokens }, { interventions: stack.interventions({ taskOfRow }) }).logits),
    readFloats(step, toy.run(step, { tokens }).logits),
  ]);
  step.dispose();
  const V = toy.info.vocabulary;
  const logSoftmax = (logits: Float32Array, at: number): number[] => {
    const row = Array.from(logits.subarray(at * V, (at + 1) * V));
    const lse = Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0));
    return row.map((x) => x - lse);
  };
  const expected = rows.map((own, task) => {
    let [sum, weights] = [0, 0];
    for (const row of own) {
      const b = all.indexOf(row);
      const each = row.predictedAt.map((t) => {
        const q = logSoftmax(student, b * tokens.T + t);
        if (row.loss === 'cross-entropy') return -(q[row.tokens[t + 1] as number] as number);
        const p = logSoftmax(bare, b * tokens.T + t);
        const kl = (x: number[], y: number[]): number =>
          x.reduce((total, logX, v) => total + Math.exp(logX) * (logX - (y[v] as number)), 0);
        return kl(p, q) + REVERSE * kl(q, p);
      });
      sum += row.weight * (each.reduce((total, x) => total + x, 0) / each.length);
      weights += row.weight;
    }
    expect(own.length).toBe(task === 0 ? 3 : 2);
    return sum / weights;
  });
  expected.forEach((loss, task) => expect(Math.abs((found[task] as number) / loss - 1)).toBeLessThan(1e-5));
});

test('slopes through every factor are those of finite differences', async () => {
  const rows = [answered(gatedRows(14, 3)), answered(gatedRows(17, 1))];
  const { batch, teacher } = await teacherOf(rows);
  using stack = stackOf(6);
  const total = async (): Promise<number> => {
    const step = toy.gpu.step();
    const { losses } = recordSlopes(step, toy, stack, batch, { teacher, reverse: REVERSE });
    const values = await readFloats(step, losses);
    step.dispose();
    return values.reduce((sum, value) => sum + value, 0);
  };
  const step: Step = toy.gpu.step();
  const { slopes } = recordSlopes(step, toy, stack, batch, { teacher, reverse: REVERSE });
  const analytic = await Promise.all(slopes.map((slope) => readFloats(step, slope)));
  step.dispose();
  for (const [i, { name, tensor }] of stack.parameters.entries()) {
    // A and B of the first map and of one in the last block; others take as long and say the same.
    if (!name.startsWith('0.q') && !name.startsWith('1.')) continue;
    const slope = analytic[i] as Float32Array;
    const start = await toy.gpu.read(tensor.storage, 'f32');
    const direction = fillNormal(new Float32Array(tensor.size), { seed: 9, stream: i });
    const length = Math.hypot(...direction);
    const moved = async (h: number): Promise<number> => {
      toy.gpu.write(
        tensor.storage,
        start.map((value, j) => value + (h * (direction[j] as number)) / length),
      );
      return total();
    };
    // Fourth order: an error of h⁴ in the fifth derivative, and 1.5·2⁻²⁴·|f|/h of rounding.
    const h = 0.05;
    const difference =
      (8 * ((await moved(h)) - (await moved(-h))) - ((await moved(2 * h)) - (await moved(-2 * h)))) / (12 * h);
    toy.gpu.write(tensor.storage, start);
    const expected = slope.reduce((sum, value, j) => sum + value * ((direction[j] as number) / length), 0);
    const size = Math.hypot(...slope);
    expect(size, name).toBeGreaterThan(1e-3);
    expect(Math.abs(difference - expected), name).toBeLessThan(2e-3 * size + 1e-5);
  }
});

test('a place is the same to the bit with nobody beside it, and with more tokens than are summed in one go', async () => {
  const rows = answered(gatedRows(17, 1));
  // 264 tokens of the other diff: its sums are cut into runs of 256.
  const shape = { ...SHAPE, rows: 33, answers: 33 };
  const long = Array.from({ length: 33 }, (_, r) => {
    const row = { tokens: [0, r % 29, 1, 2, 3, 4, 5, 6], answers: [[7, 8]], loss: 'cross-entropy', weight: 1 } as const;
    return answeredRow(row, { id: 'x', round: 0, row: r }, shape, toy.info);
  });
  using stack = stackOf(6);
  const lossOf = async (beside: readonly AnsweredRow[]): Promise<Float32Array[]> => {
    const { batch, teacher } = await teacherOf([beside, rows], shape);
    const step = toy.gpu.step();
    const { losses, slopes } = recordSlopes(step, toy, stack, batch, { teacher, reverse: REVERSE });
    const read = await Promise.all([losses, ...slopes].map((tensor: Tensor) => readFloats(step, tensor)));
    step.dispose();
    return read.map((values) => values.slice(values.length / 2));
  };
  const [alone, beside] = [await lossOf([]), await lossOf(long)];
  alone.forEach((values, i) => expectSameBits(values, beside[i] as Float32Array, `tensor ${i}`));
});

test('the teacher keeps what it has by content, within its bytes, and gives the same bits either way', async () => {
  const rows = answered([...gatedRows(14, 3), ...gatedRows(14, 4)]).filter(({ loss }) => loss === 'kl');
  const large = new Teacher(toy, SHAPE, 2 ** 20);
  const first = await large.of(rows);
  expect(large.counts).toMatchObject({ hits: 0, misses: 4 });
  // The same contents in other objects.
  const again = await large.of(rows.map((row) => structuredClone(row)));
  const bytes = rows.reduce((sum, { predictedAt }) => sum + 4 * predictedAt.length * toy.info.vocabulary, 0);
  expect(large.counts).toEqual({ hits: 4, misses: 4, bytes });
  const small = new Teacher(toy, SHAPE, bytes / 2);
  for (let round = 0; round < 2; round++)
    for (const [i, row] of rows.entries()) {
      const [values] = await small.of([row]);
      expectSameBits(values as Float32Array, first[i] as Float32Array, `row ${i} by itself`);
      expectSameBits(again[i] as Float32Array, first[i] as Float32Array, `row ${i} again`);
      expect(small.counts.bytes).toBeLessThanOrEqual(bytes / 2);
    }
  expect(small.counts.misses).toBeGreaterThan(4);
  const [once, twice] = await new Teacher(toy, SHAPE, 0).of([rows[0] as AnsweredRow, rows[0] as AnsweredRow]);
  expectSameBits(once as Float32Array, twice as Float32Array, 'a row that comes twice');
  const values = first[0] as Float32Array;
  const mass = values.subarray(0, toy.info.vocabulary).reduce((sum, logP) => sum + Math.exp(logP), 0);
  expect(mass).toBeCloseTo(1, 5);
});

test('rows that mean nothing or do not fit are refused by name', async () => {
  const refused = async (rows: readonly DiffRow[], more: Partial<typeof options> = {}) =>
    refusal(trainDiffs(toy, [diff(0, { samples: () => rows })], { ...options, ...more }));
  const row: DiffRow = { tokens: [0, 1, 2], answers: [[1, 3]], loss: 'cross-entropy', weight: 1 };
  for (const [rows, word] of [
    [[{ ...row, tokens: [0, 1, 29] }], 'token 29'],
    [[{ ...row, tokens: [0, 1, 2, 3, 4, 5, 6, 7, 8] }], '9 tokens'],
    [[{ ...row, answers: [[0, 2]] }], '[0, 2)'],
    [[{ ...row, answers: [] }], 'no answer'],
    [[{ ...row, weight: 0 }], 'no weight'],
    [[{ ...row, weight: Number.NaN }], 'weight NaN'],
    [[row, row, row, row], '4 rows'],
    [[row, row], 'more answer tokens'],
  ] as const) {
    const error = await refused(rows as readonly DiffRow[]);
    expect(error.code).toBe('data/diff-sample');
    expect(error.message).toContain(word);
    expect(error.message).toContain("'diff 0'");
  }
  const own: DiffRow = { tokens: [0, 1, 2], answers: [], loss: 'kl', weight: 1, own: true };
  expect(await refused([own])).toMatchObject({ code: 'usage/diff-training' });
  expect(await refused([{ ...own, tokens: [0, 1, 2, 3, 4, 5] }], { own: { maxNewTokens: 3 } })).toMatchObject({
    code: 'data/diff-sample',
  });
});
