// Diffs trained together are those trained apart: to the bit in groups of one shape, to round-off beside a group of one.
import type { Gpt2 } from '@limn/gpt2';
import { expectSameBits, testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createLora, diffKeys, trainDiffs, type DiffSpec, type TrainedDiff } from '../src/index.js';
import { diff, longDiffs, longOptions, numbersOf, options, toyModel } from './diffs-job.js';
import { distanceOf, goldenModel } from './folders.js';

let toy: ToyModel;
let gpt2: Gpt2;
beforeAll(async () => {
  toy = toyModel(await testGpu());
  gpt2 = await goldenModel();
});
afterAll(() => {
  toy.dispose();
  gpt2.dispose();
});

const sameBits = (found: readonly TrainedDiff[], expected: readonly TrainedDiff[]): void => {
  expect(found.map(({ key }) => key)).toEqual(expected.map(({ key }) => key));
  found.forEach((each, i) => {
    expectSameBits(numbersOf(each), numbersOf(expected[i] as TrainedDiff), each.spec.id);
    expect(each.losses).toEqual((expected[i] as TrainedDiff).losses);
  });
};

describe.each(['the toy model', 'a GPT-2'] as const)('on %s', (name) => {
  const model = () => (name === 'the toy model' ? toy : gpt2);

  test('five diffs in groups of three have the bits of each alone in a group of that shape', async () => {
    const specs = [0, 1, 2, 3, 4].map((i) => diff(i));
    const together = (await trainDiffs(model(), specs, options)).diffs;
    const turned = (await trainDiffs(model(), [...specs].reverse(), options)).diffs;
    sameBits([...turned].reverse(), together);
    sameBits((await trainDiffs(model(), [specs[3] as DiffSpec], options)).diffs, together.slice(3, 4));
    const numbers = together.map(numbersOf);
    expect(new Set(numbers.map((values) => values.join())).size).toBe(5);
    for (const { losses } of together) expect(losses.map(({ update }) => update)).toEqual([2, 4, 6]);
  });

  test('and to round-off the numbers of separate runs, whose passes have other shapes', async () => {
    const specs = [0, 1, 2].map((i) => diff(i));
    const together = (await trainDiffs(model(), specs, options)).diffs;
    for (const [i, spec] of specs.entries()) {
      const shape = { ...options.shape, tasks: 1 };
      const [alone] = (await trainDiffs(model(), [spec], { ...options, shape })).diffs;
      // Against how far training went. Adam divides by √v̂, so a slope of the size of its own rounding could move a number anywhere within the rate;
      // over six updates distances were up to 8e-6 of the way when this was written.
      const first = createLora(model(), { rank: 1, alpha: 1, seed: spec.seed });
      const start = numbersOf({ lora: first });
      const [mine, theirs] = [numbersOf(together[i] as TrainedDiff), numbersOf(alone as TrainedDiff)];
      const moved = distanceOf(mine, start).apart;
      expect(moved).toBeGreaterThan(0.05);
      expect(distanceOf(mine, theirs).apart).toBeLessThan(4e-5 * moved);
      expect(alone?.key).not.toBe(together[i]?.key);
    }
  });
});

test('ranks, maps, rates, lengths of training and answers of their own: nothing depends on who else is trained', async () => {
  const specs: DiffSpec[] = [
    ...longDiffs,
    diff(5, { rank: 3, alpha: 6 }),
    diff(6, { rank: 4, rsLora: true, init: 'dit-diff' }),
    diff(7, {
      rank: 3,
      rate: 0.01,
      modules: ['h.1.mlp.c_fc', 'h.0.mlp.c_fc'].filter((name) => toy.linears().some((l) => l.name === name)),
    }),
  ].map((spec) =>
    spec.modules?.length === 0
      ? {
          ...spec,
          modules: toy
            .linears()
            .slice(0, 2)
            .map(({ name }) => name),
        }
      : spec,
  );
  const together = (await trainDiffs(toy, specs, longOptions)).diffs;
  for (const i of [1, 4, 5, 6])
    sameBits((await trainDiffs(toy, [specs[i] as DiffSpec], longOptions)).diffs, together.slice(i, i + 1));
  const rank3 = together[4] as TrainedDiff;
  for (const linear of toy.linears()) {
    const factors = rank3.lora.modules.get(linear.name);
    expect([factors?.rank, factors?.alpha, factors?.a.length, factors?.b.length]).toEqual([
      3,
      6,
      3 * linear.inWidth,
      3 * linear.outWidth,
    ]);
  }
  expect(together[6]?.lora.modules.size).toBe(2);
  // The second diff ended after 5 updates: its last loss is of the fifth.
  expect(together[1]?.losses.map(({ update }) => update)).toEqual([1, 2, 3, 4, 5]);
});

test('keys say what decides the numbers, and nothing else', async () => {
  const key = async (spec: DiffSpec, more: Partial<typeof options> = {}): Promise<string> =>
    (await diffKeys(toy, [spec], { ...options, ...more }))[0] as string;
  const own = await key(diff(0));
  expect(own).toMatch(/^[0-9a-f]{64}$/);
  expect(await key(diff(0), { memoryBytes: 2 ** 30, every: 5, teacherBytes: 0 })).toBe(own);
  expect(
    await key(
      diff(0, {
        rank: 1,
        modules: toy
          .linears()
          .map(({ name }) => name)
          .reverse(),
      }),
    ),
  ).toBe(own);
  const others = [
    key(diff(0, { seed: 7 })),
    key(diff(0, { rank: 2 })),
    key(diff(0, { about: { word: 'other' } })),
    key(diff(0, { samples: (round) => diff(1).samples(round) })),
    key(diff(0), { sharedInit: 3 }),
    key(diff(0), { reverse: 0.5 }),
    key(diff(0), { sampler: { name: 'gated words', version: '2' } }),
    key(diff(0), { shape: { ...options.shape, tasks: 4 } }),
  ];
  expect(new Set([own, ...(await Promise.all(others))]).size).toBe(9);
});

test('a shared first number is recorded, and is the same for every diff', async () => {
  const { diffs } = await trainDiffs(toy, [diff(0), diff(1)], { ...options, updates: 1, rate: 1e-30, sharedInit: 8 });
  expect(diffs.map(({ sharedInit }) => sharedInit)).toEqual([true, true]);
  const first = numbersOf({ lora: createLora(toy, { rank: 1, alpha: 1, seed: 8 }) });
  for (const each of diffs) expect(distanceOf(numbersOf(each), first).apart).toBeLessThan(1e-6);
});
