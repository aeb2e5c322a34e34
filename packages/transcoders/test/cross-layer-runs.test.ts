// 100 updates of every kind of cross-layer transcoder against PyTorch's from the same numbers, its gradients at the first, and BatchTopK's thresholds.
import { readFileSync } from 'node:fs';
import { recordResult, testGpu } from '@limn/testing';
import { adamw, fromData, readFloats, type Tensor } from '@limn/tensor';
import { describe, expect, it } from 'vitest';
import {
  CrossLayerDictionary,
  crossLayerShapes,
  DictionaryTrainingState,
  recordCrossLayerStep,
  trainedCrossLayerNames,
  type CrossLayerDictionaryConfig,
  type CrossLayerTensorName,
  type DictionaryActivation,
  type DictionaryLoss,
} from '../src/index.js';
import { crossLayerBatchOf, crossLayerFirstWeights } from './golden/training-inputs.js';

/** A run of make-cross-layer-runs.py; arrays in base64. */
interface Run {
  readonly activation: DictionaryActivation;
  readonly loss: DictionaryLoss;
  readonly deadAfter?: number;
  readonly losses: string;
  readonly fires: string;
  readonly thresholds?: string;
  readonly gradients: Readonly<Record<string, string>>;
  readonly weights: Readonly<Record<string, string>>;
  readonly mostDead: number;
}

const golden = JSON.parse(readFileSync(new URL('golden/cross-layer-runs.json', import.meta.url), 'utf8')) as {
  readonly layers: number;
  readonly rows: number;
  readonly width: number;
  readonly features: number;
  readonly updates: number;
  readonly every: number;
  readonly rate: number;
  readonly runs: Readonly<Record<string, Run>>;
};
const { layers, rows, width, features, updates, every, rate } = golden;

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
  return Math.sqrt(size === 0 ? off : off / size);
}

/** What came of `count` updates. */
interface Followed {
  readonly losses: readonly number[];
  /** Of each layer, after every update. */
  readonly thresholds: readonly (readonly number[])[];
  /** Activations [N, F] of each layer before every tenth update. */
  readonly activations: readonly Float32Array[];
  /** Of the first update. */
  readonly gradients: ReadonlyMap<CrossLayerTensorName, Float32Array>;
  readonly mostDead: number;
  readonly weights: ReadonlyMap<CrossLayerTensorName, Float32Array>;
}

async function follow(run: Run, count: number): Promise<Followed> {
  const gpu = await testGpu();
  const { activation, loss, deadAfter } = run;
  const config: CrossLayerDictionaryConfig = { layers, features, width, input: 'ln2.hook_normalized', activation };
  using dictionary = CrossLayerDictionary.create(gpu, config, crossLayerFirstWeights(config));
  const states = Array.from({ length: layers }, () => DictionaryTrainingState.create(gpu, config));
  const names = trainedCrossLayerNames(config);
  const params = names.map((name) => ({ name, tensor: dictionary.parameters.get(name) as Tensor }));
  const optimiser = adamw(gpu, [{ params, rate }]);
  const losses: number[] = [];
  const thresholds: number[][] = [];
  const activations: Float32Array[] = [];
  const gradients = new Map<CrossLayerTensorName, Float32Array>();
  let mostDead = 0;
  for (let update = 0; update < count; update++) {
    using step = gpu.step();
    const batch = crossLayerBatchOf(update, golden);
    const put = (of: readonly Float32Array[]): Tensor[] => of.map((each) => fromData(step, each, [rows, width]));
    const x = put(batch.x);
    const seen =
      update % every === 0
        ? dictionary.encoders.map((each, i) => each.encode(step, x[i] as Tensor, { training: true }))
        : [];
    // The whole ramp of the run, not of the updates that are followed.
    const weight = (loss.sparsity?.weight ?? 0) * ((update + 1) / updates);
    const ramped = loss.sparsity ? { ...loss, sparsity: { ...loss.sparsity, weight } } : loss;
    const settings = { loss: ramped, ...(deadAfter === undefined ? {} : { deadAfter }) };
    const recorded = recordCrossLayerStep(step, dictionary, { x, y: put(batch.y) }, settings, states);
    const first = update === 0 ? [...recorded.gradients] : [];
    optimiser.step(
      step,
      names.map((name) => recorded.gradients.get(name)),
    );
    const [lossOf, dead, ...others] = await Promise.all(
      [
        recorded.loss,
        recorded.dead,
        ...seen,
        ...states.flatMap(({ threshold }) => threshold ?? []),
        ...first.map(([, slope]) => slope),
      ].map((tensor) => readFloats(step, tensor)),
    );
    losses.push((lossOf as Float32Array)[0] as number);
    mostDead = Math.max(
      mostDead,
      (dead as Float32Array).reduce((sum, value) => sum + value, 0),
    );
    activations.push(...others.splice(0, seen.length));
    if (activation.kind === 'batch-top-k') thresholds.push(others.splice(0, layers).map((each) => each[0] as number));
    for (const [i, [name]] of first.entries()) gradients.set(name, others[i] as Float32Array);
  }
  const weights = new Map<CrossLayerTensorName, Float32Array>();
  for (const name of crossLayerShapes(config).keys())
    weights.set(name, await gpu.read((dictionary.parameters.get(name) as Tensor).storage, 'f32'));
  optimiser.dispose();
  for (const state of states) state.dispose();
  return { losses, thresholds, activations, gradients, mostDead, weights };
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

/** All 100 updates take software adapters half a minute. */
const isLong = process.env['LIMN_LONG'] === '1';
const COUNT = isLong ? updates : 3;

describe.each(Object.entries(golden.runs))('%s', (name, run) => {
  it(`follows PyTorch for ${COUNT} updates`, async (context) => {
    const isFirst = name === Object.keys(golden.runs)[1];
    context.skip(!isLong && !isFirst, 'software adapters take seconds for each kind: with LIMN_LONG=1');
    const found = await follow(run, COUNT);
    const losses = floats(run.losses);
    const worst = Math.max(...found.losses.map((loss, update) => Math.abs(loss / (losses[update] as number) - 1)));
    expect(found.losses).toHaveLength(COUNT);
    expect(worst).toBeLessThan(1e-5);

    // Chains of three products with sums of at most 32 terms, over three layers: below 200 roundings on either side.
    expect([...found.gradients.keys()].sort()).toEqual(Object.keys(run.gradients).sort());
    for (const [key, slope] of found.gradients)
      expect(apart(slope, floats(run.gradients[key] as string))).toBeLessThan(400 * 2 ** -24);

    if (run.thresholds) {
      const thresholds = new Float64Array(bytes(run.thresholds));
      expect(found.thresholds).toHaveLength(COUNT);
      // A running mean over a hundred updates holds the roundings of about as many.
      found.thresholds
        .flat()
        .forEach((value, at) => expect(Math.abs(value / (thresholds[at] as number) - 1)).toBeLessThan(100 * 2 ** -24));
    }

    const other = otherRows(found.activations, new Uint32Array(bytes(run.fires)));
    expect(found.activations).toHaveLength(layers * Math.ceil(COUNT / every));
    // A row differs where two pre-activations are as good as equal: none did when this was written.
    expect(other).toBeLessThanOrEqual(0.01);
    if (COUNT < updates) return;
    expect(found.mostDead).toBe(run.mostDead);
    const weights = Object.entries(run.weights).map(([key, text]) =>
      apart(found.weights.get(key as CrossLayerTensorName) as Float32Array, floats(text)),
    );
    expect(Math.max(...weights)).toBeLessThan(1e-4);
    recordResult(`${COUNT} updates of a cross-layer transcoder against PyTorch: ${name}`, {
      'loss, largest relative difference': worst,
      'weights, largest relative distance': Math.max(...weights),
      'rows whose features differ, share': other,
    });
  });
});
