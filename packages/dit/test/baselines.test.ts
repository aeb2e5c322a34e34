// What many diffs say and show, against one diff at a time: with weights merged, and with an adapter of its own.
import { generate, tokenBatch, type HookedModel } from '@limn/hooks';
import { randomU32, readFloats } from '@limn/tensor';
import { refusal, testGpu, type ToyModel } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  activationDifferenceLens,
  catAdapters,
  createLora,
  gateReport,
  LoraAdapter,
  MergedAdapters,
  sampleAnswers,
  type LoraWeights,
  type TrainedDiff,
} from '../src/index.js';
import { toyModel } from './diffs-job.js';

let toy: ToyModel;
beforeAll(async () => {
  toy = toyModel(await testGpu());
});
afterAll(() => toy.dispose());

/** A LoRA that changes a lot. */
function loud(seed: number, rank = 1, size = 1.2): LoraWeights {
  const lora = createLora(toy, { rank, alpha: rank, seed });
  const wave = (values: Float32Array): Float32Array => values.map((_, i) => size * Math.sin(seed + 2.3 * i));
  return {
    ...lora,
    modules: new Map(
      Array.from(lora.modules, ([name, { a, b, ...rest }]) => [name, { a: wave(a), b: wave(b), ...rest }]),
    ),
  };
}
/** Maps of two ranks and scales. */
const uneven = (): LoraWeights => {
  const [one, two] = [loud(5), loud(6, 2)];
  const modules = new Map([...two.modules].map(([name, factors], i) => [name, i % 2 ? { ...factors, alpha: 0.5 } : one.modules.get(name)!])); // prettier-ignore
  return { ...one, modules };
};

describe('answers of many diffs', () => {
  const prompts = [[0, 3, 2], [0, 4], [0, 5, 2, 7], [0, 6]]; // prettier-ignore
  const settings = { maxNewTokens: 4, eosIds: [11], temperature: 0.8, seed: 3 };

  test('are those of each diff alone, with scales of their own, and of the bare model', async () => {
    const loras = [loud(1), null, loud(2, 2), uneven(), loud(4)];
    const asked = loras.map((lora, i) => ({ lora, seed: 40 + i, prompts: prompts.slice(0, 1 + (i % 4)) }));
    const done: number[] = [];
    const answers = await sampleAnswers(toy, asked, { ...settings, tasks: 2, onProgress: (p) => done.push(p.done) });
    expect(done.at(-1)).toBe(5);
    for (const [i, { lora, seed, prompts: own }] of asked.entries()) {
      const adapter = lora ? new LoraAdapter(toy, lora) : undefined;
      const streams = own.map((_, place) => randomU32(seed, 0, place));
      const { rows } = await generate(toy, own, {
        maxNewTokens: 4,
        eosIds: [11],
        sampling: { kind: 'sample', seed: 3, temperature: 0.8, streams },
        interventions: adapter?.interventions() ?? [],
      });
      adapter?.dispose();
      expect(answers[i]).toEqual(rows.map(({ newTokens }) => newTokens.map(({ id }) => id)));
    }
    expect(new Set(answers.map((own) => JSON.stringify(own[0]))).size).toBeGreaterThan(2);
  });

  test('share random numbers where prompts have one draw, and the gate report stands on them', async () => {
    const lora = loud(1);
    const twice = { lora, seed: 9, prompts: [prompts[0]!, prompts[0]!, prompts[0]!], draws: [5, 6, 5] };
    const [said] = await sampleAnswers(toy, [twice], { ...settings, maxNewTokens: 5, eosIds: [] });
    expect(said![0]).toEqual(said![2]);
    expect(said![0]).not.toEqual(said![1]);

    const spec = { id: 'a', seed: 9 } as TrainedDiff['spec'];
    const heard: (readonly number[])[] = [];
    const [record] = await gateReport(toy, [{ spec, key: 'k', sharedInit: false, lora, losses: [] }], {
      ...settings,
      prompts: () => ({ right: prompts.slice(0, 3), none: prompts.slice(0, 2), empty: [] }),
      score: (answer) => heard.push(answer),
    });
    expect(record?.gate).toEqual({ right: { mean: 2, answers: 3 }, none: { mean: 4.5, answers: 2 }, empty: { mean: null, answers: 0 } }); // prettier-ignore
    const [alone] = await sampleAnswers(toy, [{ lora, seed: 9, prompts: prompts.slice(0, 3) }], settings);
    expect(heard).toEqual([...alone!, ...alone!.slice(0, 2)]);
  });

  test('are refused where nothing can be asked', async () => {
    const fails = async (change: object, options: object = {}): Promise<string> =>
      (await refusal(sampleAnswers(toy, [{ lora: loud(1), prompts, ...change }], { ...settings, ...options }))).code;
    expect(await fails({}, { maxNewTokens: 0 })).toBe('usage/diff-training');
    expect(await fails({}, { tasks: 0 })).toBe('usage/diff-training');
    expect(await fails({ seed: 0.5 })).toBe('usage/diff-training');
    expect(await fails({ draws: [1] })).toBe('usage/diff-training');
    expect(await fails({ draws: [1, 2, 3, -1] })).toBe('usage/diff-training');
    expect(await fails({ prompts: [[]] })).toBe('tokens/empty');
    expect(await fails({ lora: { ...loud(1), base: 'others' } })).toBe('data/lora-base');
    expect(await fails({}, { signal: AbortSignal.abort() })).toBe('aborted');
  });
});

describe('the activation difference lens', () => {
  const prompts = [[0, 3, 2, 7, 8, 9], [0, 4, 5], [6], [0, 5, 2, 7]]; // prettier-ignore
  const candidates = [[5], [7, 9, 12], [28]];

  /** The residual stream behind every block, by prompt: [T · C]. */
  async function streams(model: HookedModel): Promise<Float32Array[][]> {
    return Promise.all(
      prompts.map(async (prompt) => {
        using step = model.gpu.step();
        const capture = ['blocks.0.hook_resid_post', 'blocks.1.hook_resid_post'] as const;
        const run = model.run(step, { tokens: tokenBatch([prompt], model.info) }, { capture, logits: 'none' });
        return Promise.all(capture.map((at) => readFloats(step, run.at(at))));
      }),
    );
  }

  /** W_U·(γ∘d / rms(d)), mean over tokens, d the mean over prompts and positions from … to − 1, all in float64. */
  async function written(lora: LoraWeights, layer: number, from: number, to: number) {
    const C = toy.info.width;
    const before = await streams(toy);
    const merged = new MergedAdapters(toy);
    await merged.merge('diff', lora);
    const after = await streams(toy);
    await merged.unmergeAll();
    merged.dispose();
    const d = new Float64Array(C);
    let places = 0;
    prompts.forEach((prompt, row) => {
      for (let t = from; t < Math.min(to, prompt.length); t++, places++)
        for (let c = 0; c < C; c++) d[c] = d[c]! + after[row]![layer]![t * C + c]! - before[row]![layer]![t * C + c]!;
    });
    for (let c = 0; c < C; c++) d[c] = d[c]! / places;
    using step = toy.gpu.step();
    const [gamma, table] = await Promise.all([
      readFloats(step, toy.norm('ln_final').gamma),
      readFloats(
        step,
        toy.unembedRows(
          step,
          Array.from({ length: toy.info.vocabulary }, (_, id) => id),
        ),
      ),
    ]);
    const norm = Math.hypot(...d);
    const unit = d.map((value) => value / (norm / Math.sqrt(C)));
    const logit = (id: number): number =>
      unit.reduce((sum, value, c) => sum + gamma[c]! * value * table[id * C + c]!, 0);
    return { norm, scores: candidates.map((ids) => ids.reduce((sum, id) => sum + logit(id), 0) / ids.length) };
  }

  test('is what two separate runs give, one with merged weights, for many diffs at once', async () => {
    const zero = createLora(toy, { rank: 1, init: 'peft' });
    const loras = [loud(1), loud(2, 2), uneven(), zero, loud(3)];
    const found = await activationDifferenceLens(toy, loras, {
      prompts,
      candidates,
      positions: Infinity,
      tasks: 2,
      batchSize: 3,
    });
    for (const [i, lora] of [loras[0]!, loras[1]!, loras[2]!].entries())
      for (const layer of [0, 1]) {
        const { norm, scores } = await written(lora, layer, 0, Infinity);
        expect(found[i]!.norms[layer]! / norm).toBeCloseTo(1, 5);
        scores.forEach((score, at) => expect(found[i]!.scores[layer]![at]).toBeCloseTo(score, 4));
      }
    expect(found[3]).toEqual({ scores: [new Float32Array(3), new Float32Array(3)], norms: [0, 0] });
    const few = await activationDifferenceLens(toy, [loud(1)], {
      prompts,
      candidates,
      layers: [1],
      from: 1,
      positions: 2,
    });
    const { norm, scores } = await written(loud(1), 1, 1, 3);
    expect(few[0]!.norms[0]! / norm).toBeCloseTo(1, 5);
    scores.forEach((score, at) => expect(few[0]!.scores[0]![at]).toBeCloseTo(score, 4));
    expect(few[0]!.scores[0]).not.toEqual(found[0]!.scores[1]);
    // The sum of two changes, and the same bits again.
    const both = catAdapters([{ lora: loud(1) }, { lora: loud(3), strength: -1 }]);
    const read = () => activationDifferenceLens(toy, [both], { prompts, candidates });
    expect(await read()).toEqual(await read());
    expect(toy.gpu.counters.bytesLive).toBeGreaterThan(0);
  });

  test('refuses what cannot be read', async () => {
    const { bytesLive } = toy.gpu.counters;
    const fails = async (change: object): Promise<string> =>
      (await refusal(activationDifferenceLens(toy, [loud(1)], { prompts, candidates, ...change }))).code;
    for (const change of [
      { prompts: [] },
      { prompts: [[3]], from: 1 },
      { candidates: [] },
      { candidates: [[]] },
      { candidates: [[29]] },
      { layers: [] },
      { layers: [2] },
      { layers: [0, 0] },
      { positions: 0 },
      { from: -1 },
      { tasks: 0 },
    ])
      expect(await fails(change)).toBe('usage/baseline');
    expect(await fails({ batchSize: 0 })).toBe('usage/batch-size');
    expect(await fails({ memoryBytes: 10 })).toBe('memory/over-budget');
    expect(await fails({ prompts: [[0, 99]] })).toBe('tokens/not-in-vocabulary');
    expect(await fails({ signal: AbortSignal.abort() })).toBe('aborted');
    expect((await refusal(activationDifferenceLens(toy, [{ ...loud(1), base: 'others' }], { prompts, candidates }))).code).toBe('data/lora-base'); // prettier-ignore
    expect(toy.gpu.counters.bytesLive).toBe(bytesLive);
  });
});
