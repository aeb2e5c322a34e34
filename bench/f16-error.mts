// What storing weights in f16 changes: logits, probabilities and gradients of pocket on its tasks' prompts, and of a random model of GPT-2
// small's shape, in f16 against the same weights in f32.
// npx tsx --conditions limn-source bench/f16-error.mts [--out DIR] [--prompts 32] [--layers 12 --heads 12 --width 768 --vocabulary 50257 --positions 1024]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { loadGpt2, randomGpt2, withWeightForm, type Gpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { openNodeGpu } from '@limn/gpu/node';
import { tokenBatch, type HookName } from '@limn/hooks';
import { modelFolder } from '@limn/pocket';
import { generatePairs, SIX_TASKS } from '@limn/tasks';
import { fromData, gradients, randomU32, readFloats } from '@limn/tensor';
import { fileURLToPath } from 'node:url';
import { isGpt2Small, shapeName, shapeOf, shapeOptions, whole } from './arguments.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const { values: options } = parseArgs({
  options: { out: { type: 'string' }, prompts: { type: 'string', default: '32' }, ...shapeOptions },
});
const shape = shapeOf(options);
const gpu = await openNodeGpu({ label: 'f16 error' });
const { adapter, source } = gpu.capabilities;
const description = adapter.description || adapter.device;

/** Logits of every position, and the gradient of logit 1 − logit 2, summed over the last positions, back to the embeddings. */
interface Outcome {
  readonly logits: Float32Array;
  readonly gradient: Float32Array;
}

/** What f16 changes, over all real positions. */
interface Change {
  readonly positions: number;
  /** ‖f16 − f32‖ / ‖f32‖ of logits less their mean at each position. */
  readonly logits: number;
  /** Largest |f16 − f32| of such a logit. */
  readonly worstLogit: number;
  /** Mean and largest KL(f32 ‖ f16) in nats. */
  readonly meanKl: number;
  readonly worstKl: number;
  /** Share of positions whose likeliest token stays. */
  readonly sameTop: number;
  /** ‖f16 − f32‖ / ‖f32‖ of the gradients at hook_embed. */
  readonly gradient: number;
}

async function outcomeOf(model: Gpt2, prompts: readonly (readonly number[])[]): Promise<Outcome> {
  using step = model.gpu.step();
  const tokens = tokenBatch(prompts, model.info);
  const site: HookName = 'hook_embed';
  const run = model.run(step, { tokens }, { capture: [site] });
  const V = model.info.vocabulary;
  // Logit 1 − logit 2 at each last position: a direction that does not depend on the model.
  const seed = new Float32Array(run.logits.size);
  tokens.lengths.forEach((length, b) => seed.set([1, -1], (b * tokens.T + length - 1) * V + 1));
  const [slope] = gradients(step, run.logits, fromData(step, seed, run.logits.shape), [run.at(site)]);
  const [logits, gradient] = await Promise.all([readFloats(step, run.logits), readFloats(step, slope!)]);
  return { logits, gradient };
}

/** ‖a − b‖ / ‖b‖. */
function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] as number) - (b[i] as number)) ** 2;
    size += (b[i] as number) ** 2;
  }
  return Math.sqrt(difference / size);
}

/** Logits of one position less their mean, and log-softmax. */
function atPosition(logits: Float32Array, position: number, V: number): { centred: Float64Array; log: Float64Array } {
  const row = Float64Array.from(logits.subarray(position * V, (position + 1) * V));
  const mean = row.reduce((a, b) => a + b, 0) / V;
  const top = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const partition = top + Math.log(row.reduce((sum, logit) => sum + Math.exp(logit - top), 0));
  return { centred: row.map((logit) => logit - mean), log: row.map((logit) => logit - partition) };
}

function place(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > values[best]! ? i : best), 0);
}

async function changeOf(full: Gpt2, half: Gpt2, prompts: readonly (readonly number[])[]): Promise<Change> {
  const [want, got] = [await outcomeOf(full, prompts), await outcomeOf(half, prompts)];
  const V = full.info.vocabulary;
  const T = Math.max(...prompts.map(({ length }) => length));
  let [positions, difference, size, worstLogit, kl, worstKl, same] = [0, 0, 0, 0, 0, 0, 0];
  for (const [b, prompt] of prompts.entries()) {
    for (let t = 0; t < prompt.length; t++) {
      const [p, q] = [atPosition(want.logits, b * T + t, V), atPosition(got.logits, b * T + t, V)];
      let divergence = 0;
      for (let v = 0; v < V; v++) {
        const apart = Math.abs(p.centred[v]! - q.centred[v]!);
        difference += apart ** 2;
        size += p.centred[v]! ** 2;
        worstLogit = Math.max(worstLogit, apart);
        divergence += Math.exp(p.log[v]!) * (p.log[v]! - q.log[v]!);
      }
      positions += 1;
      kl += divergence;
      worstKl = Math.max(worstKl, divergence);
      same += place(p.log) === place(q.log) ? 1 : 0;
    }
  }
  return {
    positions,
    logits: Math.sqrt(difference / size),
    worstLogit,
    meanKl: kl / positions,
    worstKl,
    sameTop: same / positions,
    gradient: distance(got.gradient, want.gradient),
  };
}

const count = whole(options.prompts);
const pairs = SIX_TASKS.flatMap((task) => generatePairs(task, { n: count, seed: 0, split: 'held-out' }));
const { model: pocket } = await loadGpt2(gpu, openFolder(fileURLToPath(modelFolder())));
const pocketChange = await compare(
  `pocket, ${pairs.length} prompts of its tasks`,
  pocket,
  pairs.map(({ clean }) => clean),
);
const random = await randomGpt2(gpu, shape, 0, { readBack: false });
const randomChange = await compare(
  `${shapeName(shape)}, random weights, 4 prompts of 16 tokens`,
  random,
  drawn(random, 4),
);
gpu.dispose();
const out = options.out ?? (isGpt2Small(shape) ? RESULTS : undefined);
if (out !== undefined) {
  const file = path.join(out, `f16-error-${adapterName(source, description)}.json`);
  const result = { adapter: description, source, pocket: pocketChange, random: { shape, ...randomChange } };
  save(file, `${JSON.stringify(result, undefined, 1)}\n`);
  console.log(`written to ${path.relative(process.cwd(), file)}`);
}

/** Prompts of 16 random ids. */
function drawn(model: Gpt2, rows: number): number[][] {
  return Array.from({ length: rows }, (_, b) =>
    Array.from({ length: 16 }, (_unused, t) => randomU32(3, b, t) % model.info.vocabulary),
  );
}

async function compare(name: string, full: Gpt2, prompts: readonly (readonly number[])[]): Promise<Change> {
  const half = await withWeightForm(full, { weights: 'f16' });
  const change = await changeOf(full, half, prompts);
  half.dispose();
  full.dispose();
  console.log(
    `${name}: logits ${change.logits.toExponential(1)} relative, at most ${change.worstLogit.toExponential(1)}; KL ${change.meanKl.toExponential(1)} nats, ` +
      `at most ${change.worstKl.toExponential(1)}; likeliest token kept at ${(100 * change.sameTop).toFixed(1)} % of ${change.positions} positions; gradient ${change.gradient.toExponential(1)} relative`,
  );
  return change;
}
