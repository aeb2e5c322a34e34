// GPT-2 small's shape, or another, with random weights at WebGPU's default limits: a forward pass, a backward pass and EAP-IG on two pairs of 16 tokens.
// npm run check:shapes [-- --json --out DIR --layers 12 --heads 12 --width 768 --vocabulary 50257 --positions 1024]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { buildGraph, eapIgInputs, logitDiff, type Pair } from '@limn/attribution';
import { randomGpt2, type Gpt2 } from '@limn/gpt2';
import { defaultLimits, formatBytes, type Gpu } from '@limn/gpu';
import { tokenBatch } from '@limn/hooks';
import { gradients, readFloats } from '@limn/tensor';
import { isGpt2Small, shapeName, shapeOf, shapeOptions } from './arguments.mjs';
import { openAtDefaultLimits } from './default-limits.mjs';
import { randomPairs } from './random-pairs.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const TOKENS = 16;
const PAIRS = 2;
/** EAP-IG's usual number of points. */
const IG_STEPS = 5;

const { values: options } = parseArgs({
  options: { json: { type: 'boolean', default: false }, out: { type: 'string' }, ...shapeOptions },
});
const shape = shapeOf(options);
const { json } = options;
const say = (line: string): void => void (json || console.log(line));
const seconds = async <T,>(work: () => Promise<T>): Promise<[T, number]> => {
  const start = performance.now();
  return [await work(), (performance.now() - start) / 1000];
};

const gpu = await openAtDefaultLimits('shapes');
const { adapter, source } = gpu.capabilities;
const description = adapter.description || adapter.device;
say(
  `${shapeName(shape)} on ${description} (${source}), every limit at WebGPU's default: ${formatBytes(defaultLimits.maxStorageBufferBindingSize)} a binding, ${formatBytes(defaultLimits.maxBufferSize)} a buffer`,
);

const [model, loading] = await seconds(() => randomGpt2(gpu, shape, 0));
// Buffers that drawing the weights left in the pool are no weights.
gpu.trim();
const weightBytes = gpu.counters.bytesLive;
say(`weights: ${formatBytes(weightBytes)} drawn and uploaded in ${loading.toFixed(1)} s`);

const pairs = randomPairs(PAIRS, TOKENS, shape.vocabulary);
const [forward, forwardSeconds] = await seconds(() => forwardPass(gpu, model, pairs));
say(
  `forward: ${forward.dispatches} dispatches, ${forward.submits} submits, ${(forward.flops / 1e9).toFixed(1)} GFLOP, ${forwardSeconds.toFixed(1)} s`,
);
const [backward, backwardSeconds] = await seconds(() => backwardPass(gpu, model, pairs));
say(
  `forward and backward to the embeddings: ${backward.dispatches} dispatches, ${backward.submits} submits, ${backwardSeconds.toFixed(1)} s`,
);

gpu.resetCounters();
const [scores, scoring] = await seconds(() =>
  eapIgInputs(model, pairs, {
    metric: logitDiff,
    steps: IG_STEPS,
    onProgress: ({ done, total }) => say(`EAP-IG: ${done}/${total} pairs`),
  }),
);
const edges = [...scores.graph.edges()].map(({ u, v }) => scores.values[scores.graph.dense(u, v)] ?? Number.NaN);
const odd = edges.filter((score) => !Number.isFinite(score)).length;
if (odd > 0 || edges.length !== buildGraph(model.info).edgeCount)
  throw new Error(`${odd} of ${edges.length} scores are not finite`);
const { dispatches, submits, bytesPeak } = gpu.counters;
say(
  `EAP-IG with ${IG_STEPS} steps: ${edges.length} edges scored, all finite; ${dispatches} dispatches, ${submits} submits, ${scoring.toFixed(1)} s`,
);
say(`peak GPU memory: ${formatBytes(bytesPeak)}, of which weights ${formatBytes(weightBytes)}`);
const result = {
  adapter: description,
  source,
  shape,
  tokens: TOKENS,
  pairs: PAIRS,
  weightBytes,
  bytesPeak,
  forward: { ...forward, seconds: forwardSeconds },
  backward: { ...backward, seconds: backwardSeconds },
  eapIg: { steps: IG_STEPS, edges: edges.length, dispatches, submits, seconds: scoring },
};
if (json) console.log(JSON.stringify(result));
// Another shape is recorded only where a place for it is named.
const out = options.out ?? (isGpt2Small(shape) ? RESULTS : undefined);
if (out !== undefined) {
  const file = path.join(out, `shapes-${adapterName(source, description)}.json`);
  save(file, `${JSON.stringify(result, undefined, 1)}\n`);
  say(`written to ${path.relative(process.cwd(), file)}`);
}
model.dispose();
gpu.dispose();

interface Cost {
  readonly dispatches: number;
  readonly submits: number;
  readonly flops: number;
}

async function forwardPass(gpu: Gpu, model: Gpt2, pairs: readonly Pair[]): Promise<Cost> {
  const step = gpu.step({ label: 'forward' });
  const tokens = tokenBatch(
    pairs.map((pair) => pair.clean),
    model.info,
  );
  const { logits } = model.run(step, { tokens }, { logits: 'last' });
  const { dispatches, submits, flops } = step.plan();
  const values = await readFloats(step, logits);
  step.dispose();
  if (!values.every(Number.isFinite)) throw new Error('a logit is not finite');
  return { dispatches, submits, flops };
}

async function backwardPass(gpu: Gpu, model: Gpt2, pairs: readonly Pair[]): Promise<Cost> {
  const step = gpu.step({ label: 'backward' });
  const tokens = tokenBatch(
    pairs.map((pair) => pair.clean),
    model.info,
  );
  const run = model.run(step, { tokens }, { capture: ['hook_embed'], logits: 'last' });
  const loss = logitDiff.loss(step, run.logits, pairs, undefined);
  const [gradient] = gradients(step, loss, 'ones', [run.at('hook_embed')]);
  const { dispatches, submits, flops } = step.plan();
  const values = await readFloats(step, gradient!);
  step.dispose();
  if (!values.some((value) => value !== 0)) throw new Error('the gradient at the embeddings is zero');
  return { dispatches, submits, flops };
}
