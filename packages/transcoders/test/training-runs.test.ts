// 200 updates of every kind of dictionary against PyTorch's from the same numbers, its gradients at the first, and BatchTopK's threshold.
import { readFileSync } from 'node:fs';
import { expectSameBits, recordResult, testGpu } from '@limn/testing';
import { adamw, fromData, readFloats, type Tensor } from '@limn/tensor';
import { describe, expect, it } from 'vitest';
import {
  Dictionary,
  DictionaryTrainingState,
  recordDictionaryStep,
  trainedNames,
  type DictionaryActivation,
  type DictionaryConfig,
  type DictionaryLoss,
  type DictionaryTensorName,
  type DictionaryWeights,
} from '../src/index.js';
import { batchOf, firstWeights } from './golden/training-inputs.js';

/** A run of make-training-runs.py; arrays in base64. */
interface Run {
  readonly activation: DictionaryActivation;
  readonly loss: DictionaryLoss;
  readonly skip: boolean;
  readonly unitDecoder: boolean;
  readonly deadAfter?: number;
  readonly losses: string;
  readonly fires: string;
  readonly thresholds?: string;
  readonly gradients: Readonly<Record<string, string>>;
  readonly weights: Readonly<Record<string, string>>;
  readonly mostDead: number;
}

const golden = JSON.parse(readFileSync(new URL('golden/training-runs.json', import.meta.url), 'utf8')) as {
  readonly rows: number;
  readonly width: number;
  readonly features: number;
  readonly updates: number;
  readonly every: number;
  readonly rate: number;
  readonly runs: Readonly<Record<string, Run>>;
};
const { rows, width, features, updates, every, rate } = golden;

const bytes = (text: string): ArrayBuffer => Uint8Array.from(Buffer.from(text, 'base64')).buffer;
const floats = (text: string): Float32Array => new Float32Array(bytes(text));

/** ‖found − expected‖ / ‖expected‖. */
function apart(found: ArrayLike<number>, expected: ArrayLike<number>): number {
  let off = 0;
  let size = 0;
  for (let i = 0; i < expected.length; i++) {
    off += ((found[i] as number) - (expected[i] as number)) ** 2;
    size += (expected[i] as number) ** 2;
  }
  return Math.sqrt(off / size);
}

/** What came of `count` updates. */
interface Followed {
  readonly losses: readonly number[];
  readonly thresholds: readonly number[];
  /** Activations [N, F] before every tenth update. */
  readonly activations: readonly Float32Array[];
  /** Of the first update. */
  readonly gradients: ReadonlyMap<DictionaryTensorName, Float32Array>;
  readonly mostDead: number;
  readonly weights: DictionaryWeights;
}

/** Updates recorded in one step: fewer submissions. */
const AT_ONCE = 10;

async function follow(run: Run, count: number): Promise<Followed> {
  const gpu = await testGpu();
  const { activation, loss, skip, unitDecoder, deadAfter } = run;
  const config: DictionaryConfig = {
    layer: 0,
    input: 'ln2.hook_normalized',
    inputWidth: width,
    outputWidth: width,
    features,
    activation,
    skip,
  };
  using dictionary = Dictionary.create(gpu, config, firstWeights(config));
  using state = DictionaryTrainingState.create(gpu, config);
  const names = trainedNames(config);
  const params = names.map((name) => ({ name, tensor: dictionary.parameters.get(name) as Tensor }));
  const optimiser = adamw(gpu, [{ params, rate }]);
  const settings = { loss, unitDecoder, ...(deadAfter === undefined ? {} : { deadAfter }) };
  const followed = {
    losses: [] as number[],
    thresholds: [] as number[],
    activations: [] as Float32Array[],
    mostDead: 0,
  };
  let gradients = new Map<DictionaryTensorName, Float32Array>();
  for (let first = 0; first < count; first += AT_ONCE) {
    using step = gpu.step();
    const wanted: Promise<void>[] = [];
    const take = (tensor: Tensor, into: (values: Float32Array) => void): void => {
      wanted.push(readFloats(step, tensor).then(into));
    };
    for (let update = first; update < Math.min(first + AT_ONCE, count); update++) {
      const { x, y } = batchOf(update, rows, width);
      const batch = { x: fromData(step, x, [rows, width]), y: fromData(step, y, [rows, width]) };
      if (update % every === 0)
        take(dictionary.encode(step, batch.x, { training: true }), (values) => followed.activations.push(values));
      const recorded = recordDictionaryStep(step, dictionary, batch, settings, state);
      take(recorded.loss, ([value]) => followed.losses.push(value as number));
      take(recorded.dead, ([value]) => (followed.mostDead = Math.max(followed.mostDead, value as number)));
      if (state.threshold) take(state.threshold, ([value]) => followed.thresholds.push(value as number));
      if (update === 0)
        for (const [name, slope] of recorded.gradients)
          take(slope, (values) => (gradients = gradients.set(name, values)));
      optimiser.step(
        step,
        names.map((name) => recorded.gradients.get(name)),
      );
    }
    await Promise.all(wanted);
  }
  const weights = await dictionary.weights();
  optimiser.dispose();
  return { ...followed, gradients, weights };
}

/** Rows whose features that fire are not PyTorch's, of all rows looked at. */
function otherRows(activations: readonly Float32Array[], fires: Uint32Array): number {
  let other = 0;
  activations.forEach((a, i) => {
    for (let n = 0; n < rows; n++) {
      let word = 0;
      for (let f = 0; f < features; f++) if ((a[n * features + f] as number) > 0) word += 2 ** f;
      if (word !== fires[i * rows + n]) other++;
    }
  });
  return other / (activations.length * rows);
}

/** All 200 updates take software adapters half a minute; ten are enough for dead features to be among them. */
const COUNT = process.env['LIMN_LONG'] === '1' ? updates : 10;

describe.each(Object.entries(golden.runs))('%s', (name, run) => {
  it(`follows PyTorch for ${COUNT} updates`, async () => {
    const found = await follow(run, COUNT);
    const losses = floats(run.losses);
    const off = found.losses.map((loss, update) => Math.abs(loss / (losses[update] as number) - 1));
    expect(off).toHaveLength(COUNT);
    const worst = Math.max(...off);
    expect(worst).toBeLessThan(1e-5);

    // Chains of three products with sums of at most 32 terms: below 100 roundings on either side.
    expect([...found.gradients.keys()].sort()).toEqual(Object.keys(run.gradients).sort());
    for (const [key, slope] of found.gradients)
      expect(apart(slope, floats(run.gradients[key] as string))).toBeLessThan(200 * 2 ** -24);

    if (run.thresholds) {
      const thresholds = new Float64Array(bytes(run.thresholds));
      expect(found.thresholds).toHaveLength(COUNT);
      // A running mean over a hundred updates holds the roundings of about as many.
      found.thresholds.forEach((value, update) =>
        expect(Math.abs(value / (thresholds[update] as number) - 1)).toBeLessThan(100 * 2 ** -24),
      );
      const last = found.weights.logThreshold as Float32Array;
      for (const log of last) expect(Math.exp(log)).toBeCloseTo(found.thresholds.at(-1) as number, 6);
    }

    const other = otherRows(found.activations, new Uint32Array(bytes(run.fires)));
    expect(found.activations).toHaveLength(COUNT / every);
    // A row differs where two pre-activations are as good as equal: none did when this was written.
    expect(other).toBeLessThanOrEqual(0.01);
    if ('auxiliary' in run.loss) expect(found.mostDead).toBeGreaterThan(0);
    if (COUNT < updates) return;
    expect(found.mostDead).toBe(run.mostDead);
    const weights = Object.entries(run.weights).map(([key, text]) =>
      apart(found.weights[key as DictionaryTensorName] as Float32Array, floats(text)),
    );
    expect(Math.max(...weights)).toBeLessThan(1e-4);
    recordResult(`${COUNT} updates of a dictionary against PyTorch: ${name}`, {
      'loss, largest relative difference': worst,
      'weights, largest relative distance': Math.max(...weights),
      'rows whose features differ, share': other,
    });
  });
});

it('the same updates give the same bits', async () => {
  const run = golden.runs['top-k and AuxK'] as Run;
  const [first, second] = [await follow(run, 5), await follow(run, 5)];
  for (const [name, values] of Object.entries(first.weights))
    expectSameBits(values as Float32Array, second.weights[name as DictionaryTensorName] as Float32Array, name);
});
