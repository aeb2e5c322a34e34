// What an update of learning to steer costs beside a forward and a backward pass of the bare model over the same rows, in turns in one run.
// npm run steer-cost [-- --shape gpt2 --examples 8 --tokens 18 --updates 4 --out DIR --layers 12 …]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { randomGpt2 } from '@limn/gpt2';
import { openNodeGpu } from '@limn/gpu/node';
import { tokenBatch } from '@limn/hooks';
import { positionTable, trainSteering, type SteeringExample, type SteeringMethod } from '@limn/steering';
import { fromData, gatherLogits, gradients, readFloats, sumAll, type Tensor } from '@limn/tensor';
import { namedShape, shapeName, shapeOf, shapeOptions, whole } from './arguments.mjs';
import { randomPairs } from './random-pairs.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';
import { clockOf, secondsOf } from './stopwatch.mjs';

const number = (text: string) => ({ type: 'string', default: text }) as const;
const { values: options } = parseArgs({
  options: {
    shape: number('gpt2'),
    examples: number('8'),
    tokens: number('18'),
    updates: number('4'),
    out: { type: 'string', default: RESULTS },
    ...Object.fromEntries(Object.keys(shapeOptions).map((name) => [name, { type: 'string' } as const])),
  },
});
const sizes = Object.fromEntries(Object.entries(options).filter(([name]) => name in shapeOptions));
const shape = shapeOf({ ...namedShape(options.shape), ...sizes });
const [count, tokens, updates] = [whole(options.examples), whole(options.tokens), whole(options.updates)] as const;

const gpu = await openNodeGpu({ limits: 'default', label: 'steer cost' });
const { adapter, source } = gpu.capabilities;
const description = adapter.description || adapter.device;
const clock = clockOf(description);
console.log(
  `${shapeName(shape)} on ${description}; ${count} examples of ${tokens} tokens at two strengths, seconds of ${clock} time`,
);
const model = await randomGpt2(gpu, shape, 0);
const examples: SteeringExample[] = randomPairs(count, tokens, shape.vocabulary).map(
  ({ clean, correct, incorrect }) => ({
    prompt: clean,
    correct: correct[0] as number,
    wrong: incorrect[0] as number,
  }),
);
const prompts = examples.map(({ prompt }) => ({ length: prompt.length }));
const positions = positionTable(prompts, 'absolute');

/** Logits at the last position of both strengths' rows, and the gradient of the answers' difference at the embeddings. */
async function bare(): Promise<void> {
  const rows = [...examples, ...examples];
  const step = gpu.step({ label: 'bare model' });
  try {
    const batch = tokenBatch(
      rows.map(({ prompt }) => prompt),
      model.info,
    );
    const run = model.run(step, { tokens: batch }, { capture: ['hook_embed'], logits: 'last' });
    const ids = fromData(step, Uint32Array.from(rows.flatMap(({ correct, wrong }) => [correct, wrong])), [
      rows.length,
      2,
    ]);
    const signs = fromData(
      step,
      Float32Array.from({ length: 2 * rows.length }, (_, i) => 1 - 2 * (i % 2)),
      [rows.length, 2],
    );
    const loss = sumAll(step, gatherLogits(step, run.logits, ids, signs));
    const [slope] = gradients(step, loss, 'ones', [run.at('hook_embed')]) as [Tensor];
    await readFloats(step, slope);
  } finally {
    step.dispose();
  }
}

const methods: Record<string, SteeringMethod> = {
  ActivScalar: { kind: 'activ-scalar' },
  SteerVec: { kind: 'steer-vec' },
  DynScalar: { kind: 'dyn-scalar' },
};
// Everything compiles once before anything is timed.
await bare();
const seconds: Record<string, number[]> = { 'bare model': [] };
for (const [name, method] of Object.entries(methods)) {
  const taken: number[] = [];
  let ended: (() => void) | undefined;
  let timing: Promise<unknown> | undefined;
  // A stopwatch per update, between two reports; a bare pass before each, beside the update's own time.
  const start = (): void => {
    timing = secondsOf(clock, () => new Promise<void>((resolve) => (ended = resolve))).then((time) => taken.push(time));
  };
  await trainSteering(
    model,
    examples,
    { method, sites: ['hook_attn_out', 'hook_mlp_out'], positions },
    {
      objective: { goal: { kind: 'flip' } },
      minimality: { weight: 0.01 },
      updates: updates + 1,
      refitUpdates: 0,
      stopEarly: false,
      onProgress: () => {
        ended?.();
        start();
      },
    },
  );
  ended?.();
  await timing;
  // The first report begins the first stopwatch; what follows the last update is its end and no update.
  seconds[name] = taken.slice(0, updates);
  for (let i = 0; i < updates; i++) seconds['bare model']?.push(await secondsOf(clock, bare));
  console.log(`${name}: ${seconds[name]?.map((time) => time.toFixed(2)).join(', ')} s`);
}
const median = (times: readonly number[]): number =>
  [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
const ratios = Object.fromEntries(
  Object.keys(methods).map((name) => [name, median(seconds[name] ?? []) / median(seconds['bare model'] ?? [])]),
);
for (const [name, ratio] of Object.entries(ratios)) console.log(`${name}: ${ratio.toFixed(3)} × the bare model`);
const label = Object.keys(sizes).length > 0 ? 'other' : options.shape;
const file = path.join(options.out, `steer-cost-${label}-${adapterName(source, description)}.json`);
save(
  file,
  `${JSON.stringify({ adapter: description, source, shape, examples: count, tokens, updates, clock, ratios, seconds }, undefined, 1)}\n`,
);
console.log(`written to ${path.relative(process.cwd(), file)}`);
model.dispose();
gpu.dispose();
