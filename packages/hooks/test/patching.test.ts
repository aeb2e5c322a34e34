// Patching sweeps as calls: bits, passes, directions, shares, progress, abort, budgets, refusals, and nothing left on the GPU.
import { AbortedError, type Step } from '@limn/gpu';
import { readFloats, slice, type Tensor } from '@limn/tensor';
import { refusal } from '@limn/testing';
import { describe, expect, test } from 'vitest';
import {
  blockHook,
  genericActivationPatch,
  getActPatchAttnHeadAllPosEvery,
  getActPatchAttnHeadByPosEvery,
  getActPatchAttnHeadOutAllPos,
  getActPatchBlockEvery,
  getActPatchMlpOut,
  getActPatchResidPost,
  getActPatchResidPre,
  hostMetric,
  logitDifference,
  patch,
  tokenBatch,
  type PatchOptions,
  type PatchProgress,
} from '../src/index.js';
import { apart, toy } from './toy.js';

const clean = [
  [1, 4, 7, 2],
  [3, 3, 9],
];
const corrupted = [
  [1, 8, 7, 2],
  [3, 10, 9],
];
const metric = logitDifference([2, [5, 6]], [11, 1]);
const options: PatchOptions = { clean, corrupted, metric };

/** The metric of a run whose logits are `logits`, per prompt. */
const measured = (step: Step, logits: Tensor): Promise<Float32Array> =>
  readFloats(step, metric.value(step, logits, [0, 1]));

describe('values', () => {
  test('one patch a pass has the bits of a plain intervention; more patches a pass change only round-off', async () => {
    const model = await toy();
    const alone = await getActPatchMlpOut(model, { ...options, batchRows: 2 });
    expect(alone.values.shape).toEqual([2, 4]);
    for (const layer of [0, 1])
      for (const position of [0, 1, 2, 3]) {
        const step = model.gpu.step();
        const site = blockHook(layer, 'hook_mlp_out');
        const source = model.run(step, { tokens: tokenBatch(clean, model.info) }, { capture: [site], logits: 'none' });
        const edit = patch(site, source.at(site), { positions: [position] });
        const run = model.run(
          step,
          { tokens: tokenBatch(corrupted, model.info) },
          { interventions: [edit], logits: 'last' },
        );
        const at = 2 * (4 * layer + position);
        expect(alone.perPrompt.data.subarray(at, at + 2), `${site} at ${position}`).toEqual(
          await measured(step, run.logits),
        );
      }
    const together = await getActPatchMlpOut(model, { ...options, batchRows: 64 });
    expect(apart(together.perPrompt.data, alone.perPrompt.data)).toBeLessThan(1e-5);
    // Three places, then one; and prompt by prompt.
    const uneven = await getActPatchMlpOut(model, { ...options, batchRows: 6, layers: [1] });
    expect(apart(uneven.perPrompt.data, alone.perPrompt.data.subarray(8))).toBeLessThan(1e-5);
    const oneByOne = await getActPatchMlpOut(model, { ...options, batchRows: 1, layers: [1], positions: [0, 2] });
    const same = [0, 1, 4, 5].map((i) => alone.perPrompt.data[8 + i] as number);
    expect(apart(oneByOne.perPrompt.data, same)).toBeLessThan(1e-5);
    expect(Array.from(alone.values.data)).toEqual(
      Array.from(
        { length: 8 },
        (_, i) => ((alone.perPrompt.data[2 * i] as number) + (alone.perPrompt.data[2 * i + 1] as number)) / 2,
      ),
    );
  });

  test('a pass starts at the layer it patches and holds many patches: dispatches and submits', async () => {
    const model = await toy();
    const counted = async (batchRows: number, layers: number[]) => {
      const before = model.gpu.counters.snapshot();
      await getActPatchMlpOut(model, { ...options, batchRows, layers });
      const { dispatches, submits, readbacks } = model.gpu.counters.since(before);
      return { dispatches, submits, readbacks };
    };
    const [together, alone] = [await counted(64, [1]), await counted(2, [1])];
    // Two unpatched runs and one pass, against four passes: each pass is one submit.
    expect(together.submits).toBe(2);
    expect(alone.submits).toBe(5);
    const pass = (alone.dispatches - together.dispatches) / 3;
    const whole = await counted(64, [0]);
    expect(whole.submits).toBe(2);
    // Layer 0's pass runs one block more, which is most of what a pass of layer 1 does.
    expect(whole.dispatches - together.dispatches).toBeGreaterThan(0.5 * pass);
    expect(together.readbacks).toBe(3);
  });

  test('a place behind the end of a pair is no patch for it, and pairs of two lengths are refused', async () => {
    const model = await toy();
    for (const [axes, site] of [
      [['layer', 'position'], 'resid_pre'],
      [['layer', 'position', 'head'], 'z'],
      [['layer', 'destination', 'head'], 'pattern'],
    ] as const) {
      const { perPrompt, values } = await genericActivationPatch(model, { ...options, site, axes });
      // Corrupted prompts patched from themselves: no patch. The second pair has three tokens, so nothing at place 3.
      const { perPrompt: unpatched } = await genericActivationPatch(model, {
        ...options,
        clean: corrupted,
        site,
        axes: ['layer'],
        layers: [0],
      });
      const [, positions, heads = 1] = values.shape as [number, number, number?];
      const behind = Array.from({ length: model.info.layers * heads }, (_, i) => {
        const [layer, head] = [Math.floor(i / heads), i % heads];
        return perPrompt.data[2 * ((layer * positions + 3) * heads + head) + 1] as number;
      });
      // The same numbers in batches of other sizes: f32 round-off of logits of size 1.
      for (const value of behind) expect(Math.abs(value - (unpatched.data[1] as number))).toBeLessThan(1e-5);
    }
    for (const pair of [
      [
        [1, 8, 7],
        [3, 10, 9],
      ],
      [[1, 8, 7, 2]],
      [
        [1, 8, 7, 2],
        [3, 10, 9, 1],
      ],
    ])
      expect((await refusal(getActPatchResidPre(model, { ...options, corrupted: pair }))).code).toBe('hooks/bad-pairs');
  });

  test('noise is denoise with the prompts exchanged; the unpatched values stand beside the sweep', async () => {
    const model = await toy();
    const noise = await getActPatchResidPre(model, { ...options, direction: 'noise' });
    const exchanged = await getActPatchResidPre(model, { ...options, clean: corrupted, corrupted: clean });
    expect(noise.values).toEqual(exchanged.values);
    expect([noise.clean, noise.corrupted]).toEqual([exchanged.corrupted, exchanged.clean]);
    const step = model.gpu.step();
    const run = model.run(step, { tokens: tokenBatch(clean, model.info) }, { logits: 'last' });
    const [first, second] = (await measured(step, run.logits)) as unknown as [number, number];
    expect(noise.clean).toBeCloseTo((first + second) / 2, 5);
    expect(noise).toMatchObject({
      direction: 'noise',
      metric: 'logit-diff',
      normalised: false,
      axes: ['layer', 'position'],
    });
  });

  test('patching the stream where the prompts differ restores the behaviour; shares run from 0 to 1', async () => {
    const model = await toy();
    const plain = await getActPatchResidPre(model, options);
    const shares = await getActPatchResidPre(model, { ...options, normalise: true });
    // The prompts differ at position 1 alone, so in front of block 0 that patch is the whole clean run, and others do nothing.
    const row = Array.from(shares.values.data.subarray(0, 4));
    expect(row[0]).toBeCloseTo(0, 5);
    expect(row[1]).toBeCloseTo(1, 5);
    expect(row[2]).toBeCloseTo(0, 5);
    const way = plain.clean - plain.corrupted;
    expect(
      apart(
        shares.values.data,
        plain.values.data.map((value) => (value - plain.corrupted) / way),
      ),
    ).toBeLessThan(1e-12);
    expect(shares.normalised).toBe(true);
    const last = await getActPatchResidPost(model, { ...options, normalise: true });
    // Behind the last block, only the last tokens count: position 3 of the first prompt, 2 of the second.
    expect(Array.from(last.values.data.subarray(4, 6))).toEqual([expect.closeTo(0, 5), expect.closeTo(0, 5)]);
  });

  test('chosen layers, positions and heads are the matching part of the whole sweep', async () => {
    const model = await toy();
    const site = 'z';
    const axes = ['layer', 'position', 'head'] as const;
    const whole = await genericActivationPatch(model, { ...options, site, axes, layers: [0, 1], positions: [0, 1, 2] });
    const part = await genericActivationPatch(model, {
      ...options,
      site,
      axes,
      layers: [1],
      positions: [2, 0],
      heads: [2],
    });
    expect(part.index).toEqual({ layer: [1], position: [2, 0], head: [2] });
    expect(part.values.shape).toEqual([1, 2, 1]);
    const at = (layer: number, position: number, head: number): number =>
      whole.values.data[(layer * 3 + position) * 3 + head] as number;
    expect(apart(part.values.data, [at(1, 2, 2), at(1, 0, 2)])).toBeLessThan(1e-5);
  });

  test('several sweeps in one call', async () => {
    const model = await toy();
    const last = { ...options, layers: [1] };
    const heads = await getActPatchAttnHeadAllPosEvery(model, last);
    expect(heads.out.values).toEqual((await getActPatchAttnHeadOutAllPos(model, last)).values);
    expect(Object.values(heads).map(({ values }) => values.shape)).toEqual(Array.from({ length: 5 }, () => [1, 3]));
    const byPosition = await getActPatchAttnHeadByPosEvery(model, { ...last, positions: [1] });
    expect(Object.values(byPosition).map(({ values }) => values.shape)).toEqual(
      Array.from({ length: 5 }, () => [1, 1, 3]),
    );
    const blocks = await getActPatchBlockEvery(model, last);
    expect(blocks.mlpOut.values).toEqual((await getActPatchMlpOut(model, last)).values);
    expect(Object.keys(blocks)).toEqual(['residPre', 'attnOut', 'mlpOut']);
  });

  test('a metric on the host, one of all positions, and one that gives the wrong shape', async () => {
    const model = await toy();
    const onGpu = await getActPatchMlpOut(model, { ...options, metric: logitDifference(2, 11) });
    const onHost = await getActPatchMlpOut(model, {
      ...options,
      metric: hostMetric('mine', (logits) => (logits[2] as number) - (logits[11] as number)),
    });
    expect(onHost.values).toEqual(onGpu.values);
    const seen: number[] = [];
    const all = await getActPatchMlpOut(model, {
      ...options,
      layers: [1],
      logits: 'all',
      metric: hostMetric('at the last', (logits, prompt) => {
        seen.push(prompt);
        const at = 13 * ((clean[prompt]?.length ?? 0) - 1);
        return (logits[at + 2] as number) - (logits[at + 11] as number);
      }),
    });
    expect(seen.slice(0, 6)).toEqual([0, 1, 0, 1, 0, 1]);
    expect(apart(all.values.data, onGpu.values.data.subarray(4))).toBeLessThan(1e-5);
    const shape = await refusal(() =>
      getActPatchMlpOut(model, { ...options, metric: { name: 'whole', value: (_, logits) => logits } }),
    );
    expect(shape.code).toBe('hooks/wrong-shape');
    const every = await refusal(() => getActPatchMlpOut(model, { ...options, logits: 'all' }));
    expect(every.hint).toContain("logits: 'all'");
    const firstLogit = await getActPatchMlpOut(model, {
      ...options,
      metric: { name: 'logit 0', value: (step, logits) => slice(step, logits, 1, 0, 1) },
    }).catch((error: unknown) => error);
    expect(firstLogit).toMatchObject({ code: 'hooks/wrong-shape' });
  });
});

describe('control', () => {
  test('progress ends at the total; a signal ends the sweep and nothing stays on the GPU', async () => {
    const model = await toy();
    const seen: PatchProgress[] = [];
    await getActPatchMlpOut(model, { ...options, batchRows: 4, onProgress: (progress) => seen.push(progress) });
    expect(seen.map(({ done }) => done)).toEqual([4, 8, 12, 16]);
    expect(seen.every(({ total, unit }) => total === 16 && unit === 'patched rows')).toBe(true);

    const live = (): number => model.gpu.counters.bytesLive;
    for (let i = 0; i < 2; i++) await getActPatchMlpOut(model, { ...options, layers: [1] });
    const settled = live();
    for (let i = 0; i < 5; i++) await getActPatchMlpOut(model, { ...options, layers: [1] });
    expect(live()).toBe(settled);
    for (const after of [1, 2]) {
      const stop = new AbortController();
      const run = getActPatchMlpOut(model, {
        ...options,
        batchRows: 4,
        signal: stop.signal,
        onProgress: ({ done }) => done >= 4 * after && stop.abort('enough'),
      });
      const error = await refusal(() => run);
      expect(error).toBeInstanceOf(AbortedError);
      expect(error.cause).toBe('enough');
      expect(live()).toBe(settled);
    }
  });

  test('a small memory budget means smaller passes, and one that fits nothing is refused with the bytes', async () => {
    const model = await toy();
    const submits = async (memoryBytes: number) => {
      const before = model.gpu.counters.snapshot();
      const { values } = await getActPatchMlpOut(model, { ...options, memoryBytes });
      return { values, submits: model.gpu.counters.since(before).submits };
    };
    const [roomy, tight] = [await submits(2 ** 29), await submits(12_000)];
    expect(tight.submits).toBeGreaterThan(roomy.submits);
    expect(apart(tight.values.data, roomy.values.data)).toBeLessThan(1e-5);
    const error = await refusal(() => submits(500));
    expect(error.code).toBe('memory/over-budget');
    expect(error.details).toMatchObject({ memoryBytes: 500 });
  });

  test.each<readonly [string, Partial<PatchOptions> & { site?: string; axes?: readonly string[] }, string]>([
    [
      'prompts of different lengths',
      {
        corrupted: [
          [1, 8, 7],
          [3, 10, 9],
        ],
      },
      'hooks/bad-pairs',
    ],
    ['fewer corrupted prompts', { corrupted: [[1, 8, 7, 2]] }, 'hooks/bad-pairs'],
    [
      'an id beyond the vocabulary',
      {
        clean: [
          [1, 4, 70, 2],
          [3, 3, 9],
        ],
      },
      'tokens/not-in-vocabulary',
    ],
    ['an answer beyond the vocabulary', { metric: logitDifference(2, 13) }, 'tokens/not-in-vocabulary'],
    ['answers for another number of prompts', { metric: logitDifference([2, 3, 4], 1) }, 'hooks/bad-rows'],
    ['no answers', { metric: logitDifference([[], 3], 1) }, 'hooks/bad-rows'],
    ['a layer that is not there', { layers: [2] }, 'hooks/bad-layer'],
    ['a position that is not there', { positions: [4] }, 'hooks/bad-extent'],
    ['a head twice', { site: 'z', axes: ['layer', 'head'], heads: [1, 1] }, 'hooks/bad-extent'],
    ['no rows at once', { batchRows: 0 }, 'usage/batch-size'],
    ['no memory', { memoryBytes: Number.NaN }, 'usage/memory'],
    ['equal prompts and shares', { corrupted: clean, normalise: true }, 'hooks/zero-difference'],
    ['a site that is not there', { site: 'resid_mid' }, 'hooks/unknown-site'],
    ['a misspelt site', { site: 'mlpout' }, 'hooks/unknown-site'],
    ['heads of the stream', { axes: ['layer', 'head'] }, 'hooks/bad-axes'],
    ['no layers', { axes: ['position'] }, 'hooks/bad-axes'],
    ['query positions of a vector', { axes: ['layer', 'destination'] }, 'hooks/bad-axes'],
  ])('%s: refused before any work', async (_, changes, code) => {
    const model = await toy();
    const before = model.gpu.counters.snapshot();
    const request = { site: 'mlp_out', axes: ['layer', 'position'], ...options, ...changes };
    const error = await refusal(() =>
      genericActivationPatch(model, request as Parameters<typeof genericActivationPatch>[1]),
    );
    expect(error.code).toBe(code);
    if (code !== 'hooks/zero-difference') expect(model.gpu.counters.since(before).submits).toBe(0);
    else expect(model.gpu.counters.since(before).submits).toBe(1);
  });
});
