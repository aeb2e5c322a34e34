// The basis of a subspace: against all eigenvectors by Jacobi rotations in float64, on given rows and on a model's activations; and learning in it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HookName } from '@limn/hooks';
import { referenceEap, referenceRandom } from '@limn/testing';
import {
  activationSubspace,
  positionTable,
  readSteering,
  Steering,
  sweepSteering,
  trainSteering,
  writeSteering,
  type SteeringSpec,
} from '../src/index.js';
import { principalSubspace } from '../src/baselines/principal-subspace.js';
import { captured } from './captured-activations.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';
import { referenceDirections } from './reference-direction.js';

const inner = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((sum, x, i) => sum + x * b[i]!, 0);

describe('principalSubspace', () => {
  it.each([
    { rows: 5, width: 12, count: 3 },
    { rows: 40, width: 12, count: 3 },
    { rows: 40, width: 12, count: 12 },
    { rows: 12, width: 12, count: 11 },
  ])('$count of $rows rows of $width: the leading eigenvectors, but for their signs', ({ rows, width, count }) => {
    const random = referenceRandom(rows + count);
    const offset = random.normals(width, 2);
    const given = Array.from({ length: rows }, () => random.normals(width).map((x, j) => x * (1 + j) + offset[j]!));
    const { directions, rank } = principalSubspace(given, count);
    expect([rank, directions.length]).toEqual([count, count]);
    const { vectors } = referenceDirections(given, false);
    directions.forEach((direction, k) => {
      // Residuals of 1e−12 of the largest eigenvalue, over gaps between eigenvalues that are a few percent of it.
      expect(Math.abs(inner(direction, vectors[k]!))).toBeGreaterThan(1 - 1e-10);
      directions.forEach((other, l) => expect(inner(direction, other)).toBeCloseTo(k === l ? 1 : 0, 13));
      const largest = direction.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
      expect(largest).toBeGreaterThan(0);
    });
  });

  it('counts the directions that there are: copies and sums of rows are none of their own', () => {
    const random = referenceRandom(3);
    const [a, b] = [random.normals(9), random.normals(9)];
    const sum = a.map((x, i) => x - 2 * b[i]!);
    const { directions, rank } = principalSubspace([a, b, a, sum], 4);
    expect([rank, directions.length]).toEqual([2, 2]);
    for (const row of [a, b, sum]) {
      const inside = directions.reduce((squares, direction) => squares + inner(row, direction) ** 2, 0);
      expect(inside / inner(row, row)).toBeCloseTo(1, 12);
    }
    expect(principalSubspace([new Float64Array(4)], 1)).toEqual({ directions: [], rank: 0 });
  });

  it('directions of equal length have no order, but the subspace is theirs and orthonormal', () => {
    const rows = Array.from({ length: 6 }, (_, i) => Float64Array.from({ length: 6 }, (__, j) => (i === j ? 1 : 0)));
    const { directions, rank } = principalSubspace(rows, 3);
    expect(rank).toBe(3);
    directions.forEach((a, k) => directions.forEach((b, l) => expect(inner(a, b)).toBeCloseTo(k === l ? 1 : 0, 12)));
  });
});

describe('activationSubspace', () => {
  const examples = examplesOf(3, { lengths: [5, 3] });
  const at: HookName = 'blocks.1.hook_mlp_out';
  const specOf = (rank: number): SteeringSpec => ({
    method: { kind: 'subspace-scale', rank },
    sites: ['hook_attn_out', 'hook_mlp_out'],
    positions: positionTable(
      examples.map(({ prompt }) => ({ length: prompt.length })),
      'from-end',
      { skip: 1 },
    ),
  });
  let gpt2: Awaited<ReturnType<typeof gpt2Of>>;
  beforeAll(async () => {
    gpt2 = await gpt2Of(referenceEap.randomModel(SIZES, 7));
  });
  afterAll(() => gpt2.dispose());

  it('is that of the tokens that are steered, the mean left in; twice the same bits', async () => {
    const rank = 3;
    const values = await activationSubspace(gpt2, examples, specOf(rank), { batchSize: 2 });
    const own = values.places.get(at)!;
    expect([...own.get('alpha')!]).toEqual(Array.from({ length: 4 * rank }, () => 0));
    const basis = own.get('basis')!;
    const rows = (await Promise.all(examples.map(({ prompt }) => captured(gpt2, prompt, at)))).flatMap((all) =>
      all.slice(1),
    );
    const { vectors } = referenceDirections(rows, false);
    const column = (k: number): number[] => Array.from({ length: SIZES.width }, (_, j) => basis[j * rank + k]!);
    // Activations and the basis in f32.
    for (let k = 0; k < rank; k++) expect(Math.abs(inner(column(k), vectors[k]!))).toBeGreaterThan(1 - 1e-5);
    const again = await activationSubspace(gpt2, examples, specOf(rank), { batchSize: 2 });
    expect(again.places).toEqual(values.places);
  });

  it('learns in it at every price, leaves it as it is, and keeps it in a file', async (context) => {
    context.skip(
      process.env['LIMN_LONG'] !== '1',
      'LIMN_LONG=1 compiles the kernels of learning once more: limn steer learns in a basis in every run',
    );
    const spec = specOf(2);
    const start = await activationSubspace(gpt2, examples, spec);
    const [point] = await sweepSteering(gpt2, { train: examples, validation: examples }, spec, {
      objective: { goal: { kind: 'flip', margin: 2 }, faithfulnessWeight: 0.2 },
      start,
      weights: [0],
      updates: 6,
      rate: 0.1,
    });
    const { trained, train } = point!;
    const { values } = trained;
    const own = values.places.get(at)!;
    expect(own.get('basis')).toEqual(start.places.get(at)!.get('basis'));
    expect(own.get('alpha')!.some((x) => x !== 0)).toBe(true);
    expect(train.shift).toBeGreaterThan(0.5);
    const kept = readSteering(writeSteering(values, { model: gpt2.info })).values;
    expect(kept).toEqual(values);
    new Steering(gpt2, kept.spec, { values: [kept] }).dispose();
  });

  it('refuses more directions than there are, other methods, and learning without a basis', async () => {
    await expect(activationSubspace(gpt2, examples, specOf(SIZES.width + 1))).rejects.toMatchObject({
      code: 'data/steering-basis',
      details: { rank: SIZES.width + 1 },
    });
    const one = examples.slice(0, 1);
    await expect(activationSubspace(gpt2, one, specOf(5))).rejects.toMatchObject({
      code: 'data/steering-basis',
      details: { rank: 5, found: 4, activations: 4 },
    });
    const scalar: SteeringSpec = { ...specOf(1), method: { kind: 'activ-scalar' } };
    await expect(activationSubspace(gpt2, examples, scalar)).rejects.toMatchObject({ code: 'usage/steering-method' });
    await expect(
      trainSteering(gpt2, examples, specOf(2), { objective: { goal: { kind: 'flip' } } }),
    ).rejects.toMatchObject({ code: 'usage/steering-option' });
  });
});
