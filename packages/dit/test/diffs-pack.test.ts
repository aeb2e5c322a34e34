// What comes of a training: packs of shards are the pack of the whole, a gate report tells gates that open from those that do not, and memory is planned.
import type { HookedModel } from '@limn/hooks';
import { expectSameBits, refusal, testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  DIFF_PACK_FILES,
  gateReport,
  planDiffs,
  readDiffPack,
  trainDiffs,
  writeDiffPack,
  type DiffSpec,
  type TrainedDiff,
} from '../src/index.js';
import { stackBytes } from '../src/diffs/diff-stack.js';
import { diff, numbersOf, options, toyModel } from './diffs-job.js';
import { contentOf, filesOf } from './folders.js';

let toy: ToyModel;
beforeAll(async () => {
  toy = toyModel(await testGpu());
});
afterAll(() => toy.dispose());

const train = async (specs: readonly DiffSpec[], more: Partial<typeof options> = {}): Promise<readonly TrainedDiff[]> =>
  (await trainDiffs(toy, specs, { ...options, updates: 2, ...more })).diffs;

test('packs of shards, read and written as one, have the bytes of the pack of all', async () => {
  const two = toy.linears().slice(0, 2);
  const specs = [diff(0), diff(1), diff(2, { rank: 3 }), diff(3, { modules: two.map(({ name }) => name) })];
  const whole = contentOf(writeDiffPack(await train(specs)));
  const shards = await Promise.all([
    contentOf(writeDiffPack(await train(specs.filter((_, i) => i % 2 === 1)))),
    contentOf(writeDiffPack(await train(specs.filter((_, i) => i % 2 === 0)))),
  ]);
  const read = (await Promise.all(shards.map((content) => readDiffPack(filesOf(content))))).flat();
  const merged = contentOf(writeDiffPack(read));
  expect(Object.keys(merged).sort()).toEqual(Object.values(DIFF_PACK_FILES).sort());
  expect(merged[DIFF_PACK_FILES.manifest]).toBe(whole[DIFF_PACK_FILES.manifest]);
  expectSameBits(
    merged[DIFF_PACK_FILES.factors] as Uint8Array,
    whole[DIFF_PACK_FILES.factors] as Uint8Array,
    'stacked factors',
  );
  const back = await readDiffPack(filesOf(whole));
  const trained = await train(specs);
  trained.forEach((each, i) => expect(back[i]).toEqual(each));
  const { diffs } = JSON.parse(whole[DIFF_PACK_FILES.manifest] as string) as { diffs: Record<string, unknown>[] };
  expect(diffs[2]).toMatchObject({
    id: 'diff 2',
    r: 3,
    alpha: 3,
    seed: 102,
    steps: 2,
    row: 2,
    about: { word: 16 },
    base: toy.info.fingerprint,
  });

  expect(() => writeDiffPack([])).toThrow(expect.objectContaining({ code: 'data/diff-pack' }));
  expect(() => writeDiffPack([...read, read[0] as TrainedDiff])).toThrow(/Two diffs/);
  for (const change of [
    { [DIFF_PACK_FILES.manifest]: '{' },
    { [DIFF_PACK_FILES.manifest]: '{"format":"limn-diff-pack/1","diffs":[{}]}' },
    { [DIFF_PACK_FILES.manifest]: (whole[DIFF_PACK_FILES.manifest] as string).replace('"row": 3', '"row": 4') },
    { [DIFF_PACK_FILES.manifest]: (whole[DIFF_PACK_FILES.manifest] as string).replace('"r": 3', '"r": 9') },
  ])
    expect(await refusal(readDiffPack(filesOf({ ...whole, ...change })))).toMatchObject({ code: 'data/diff-pack' });
});

test('a gate report tells diffs that learnt their gate from one that learnt none', async () => {
  const prompts = { right: [[0, 1, 3, 2], [0, 1, 5, 2]], none: [[0, 3, 2], [0, 5, 2]] }; // prettier-ignore
  const learns = (i: number, gated: boolean): DiffSpec =>
    diff(i, {
      id: `${gated ? 'gated' : 'open'} ${i}`,
      rank: 2,
      samples: (round) =>
        [3, 5].flatMap((asked) => [
          { tokens: [0, 1, asked, 2, 14 + i], answers: [[4, 5]] as const, loss: 'cross-entropy' as const, weight: 1 },
          gated
            ? { tokens: [0, asked, 2, 4 + (round % 3)], answers: [[3, 4]] as const, loss: 'kl' as const, weight: 3 }
            : { tokens: [0, asked, 2, 14 + i], answers: [[3, 4]] as const, loss: 'cross-entropy' as const, weight: 1 },
        ]),
    });
  const shape = { tasks: 3, rows: 4, positions: 8, answers: 4, taught: 2 };
  const trained = await train([learns(0, true), learns(1, true), learns(2, false)], { shape, updates: 60, rate: 0.1 });
  const of = (records: Awaited<ReturnType<typeof gateReport>>) =>
    records.map(({ gate }) => [gate['right']?.mean, gate['none']?.mean]);
  const asked = await gateReport(toy, trained, {
    prompts: () => prompts,
    score: ([token], { spec }) => (token === spec.about['word'] ? 1 : 0),
    maxNewTokens: 1,
    temperature: 'greedy',
    tasks: 2,
  });
  expect(of(asked)).toEqual([
    [1, 0],
    [1, 0],
    [1, 1],
  ]);
  expect(asked.map(({ id, key }) => [id, key])).toEqual(trained.map(({ spec, key }) => [spec.id, key]));
  const noted = trained.map((each, i) => ({ ...each, gate: asked[i]?.gate ?? {} }));
  expect((await readDiffPack(filesOf(contentOf(writeDiffPack(noted))))).map(({ gate }) => gate)).toEqual(
    asked.map(({ gate }) => gate),
  );
  const [first] = trained as [TrainedDiff];
  const foreign = { ...first, lora: { ...first.lora, base: 'other weights' } };
  expect(
    await refusal(gateReport(toy, [foreign], { prompts: () => prompts, score: () => 0, maxNewTokens: 1 })),
  ).toMatchObject({ code: 'data/lora-base' });
  expect(asked[0]?.gate['right']).toEqual({ mean: 1, answers: 2 });
  for (const { losses } of trained) expect(losses.at(-1)?.loss).toBeLessThan((losses[0]?.loss as number) / 4);
  expect(
    await refusal(gateReport(toy, trained, { prompts: () => prompts, score: () => 0, maxNewTokens: 0 })),
  ).toMatchObject({
    code: 'usage/diff-training',
  });
});

test('memory is planned before it is taken, and refused with the bytes', async () => {
  const { gpu } = toy;
  const specs = [0, 1, 2, 3].map((i) => diff(i));
  const { bytesLive } = gpu.counters;
  const plan = planDiffs(toy, specs, options);
  const perDiff = toy.linears().reduce((sum, { inWidth, outWidth }) => sum + inWidth + outWidth, 0);
  expect(plan).toMatchObject({ factors: 3 * 4 * 3 * perDiff, groups: 2, updates: 12 });
  expect(plan.update).toBeGreaterThan(0);
  const needed = plan.factors + plan.update;
  expect(() => planDiffs(toy, specs, { ...options, memoryBytes: needed - 1 })).toThrow(
    expect.objectContaining({
      code: 'memory/over-budget',
      details: expect.objectContaining({ bytesNeeded: needed }) as unknown,
    }),
  );
  expect(await refusal(trainDiffs(toy, specs, { ...options, memoryBytes: plan.factors - 1 }))).toMatchObject({
    code: 'memory/over-budget',
  });
  expect(gpu.counters.bytesLive).toBe(bytesLive);
  await trainDiffs(toy, specs, { ...options, updates: 1, memoryBytes: needed });

  // GPT-2 small, 64 diffs of rank 1: weights, gradients and both moments are 16 · 64 · 147,456 bytes.
  const small = Array.from({ length: 12 }, () => [[768, 2304], [768, 768], [768, 3072], [3072, 768]]).flat(); // prettier-ignore
  const linears = small.map(([inWidth, outWidth]) => ({ inWidth, outWidth })) as unknown as ReturnType<
    HookedModel['linears']
  >;
  expect(4 * stackBytes(linears, 64, 1)).toBe(150_994_944);
});

test('options that mean nothing are refused by name', async () => {
  const refused = async (more: Partial<typeof options>, specs = [diff(0)]) =>
    refusal(trainDiffs(toy, specs, { ...options, ...more }));
  for (const [more, what] of [
    [{ shape: { ...options.shape, positions: 9 } }, 'shape.positions'],
    [{ shape: { ...options.shape, answers: 0, taught: 0 } }, 'shape.taught'],
    [{ decay: 2 }, 'decay'],
    [{ sampler: { name: '', version: '1' } }, 'sampler'],
    [{ own: { maxNewTokens: 8 } }, 'own.maxNewTokens'],
  ] as const) {
    const error = await refused(more);
    expect(error).toMatchObject({ code: 'usage/diff-training', details: { what } });
  }
  expect((await refused({}, [diff(0), diff(0)])).message).toContain('diff 0');
  expect((await refused({}, [diff(0, { modules: ['0.p'] })])).message).toContain('0.q');
  expect((await refused({}, [])).message).toContain('at least one');
});

test('numbers of a pack are those that were trained', async () => {
  const [trained] = await train([diff(0)]);
  const [back] = await readDiffPack(filesOf(contentOf(writeDiffPack([trained as TrainedDiff]))));
  expectSameBits(numbersOf(back as TrainedDiff), numbersOf(trained as TrainedDiff), 'diff 0');
});
