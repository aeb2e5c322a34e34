// How the cost of EAP-IG grows with pairs, with steps and with layers, each varied alone; beside it the bare model's passes over the same rows.
// npm run eap-scaling [-- --pairs 4 --steps 4 --tokens 17 --repeats 2 --factor 1 --factor 2 … --out DIR --layers 2 --width 768 …]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { eapIgInputs, logitDiff } from '@limn/attribution';
import { randomGpt2 } from '@limn/gpt2';
import { openNodeGpu } from '@limn/gpu/node';
import { shapeOf, shapeOptions, whole } from './arguments.mjs';
import { barePasses } from './eap-cost/bare-passes.mjs';
import { clockOf, secondsOf } from './stopwatch.mjs';
import { fits, scalingPlot, type Sweep } from './eap-scaling/plot.mjs';
import { randomPairs } from './random-pairs.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const number = (text: string) => ({ type: 'string', default: text }) as const;
const { values: options } = parseArgs({
  options: {
    pairs: number('4'),
    steps: number('4'),
    tokens: number('17'),
    repeats: number('2'),
    factor: { type: 'string', multiple: true, default: ['0.5', '1', '2', '3', '4'] },
    out: { type: 'string', default: RESULTS },
    ...shapeOptions,
    layers: number('2'),
  },
});
const shape = shapeOf(options);
const base: Readonly<Record<'pairs' | 'steps' | 'layers', number>> = {
  pairs: whole(options.pairs),
  steps: whole(options.steps),
  layers: shape.layers,
};
const [tokens, repeats] = [whole(options.tokens), whole(options.repeats)] as const;
/** Multiples of the size that the others are held at. */
const factors = options.factor.map(Number);

const gpu = await openNodeGpu({ limits: 'default', label: 'eap scaling' });
const { adapter, source } = gpu.capabilities;
const description = adapter.description || adapter.device;
const clock = clockOf(description);
const held = Object.entries(base).map(([size, value]) => `${value} ${size}`);
const about = `${held.join(', ')} where they are not varied; ${tokens} tokens, ${shape.width} wide, ${shape.heads} heads; ${clock} time, ${adapterName(source, description)}`;
console.log(about);

const sweeps: Sweep[] = [];
for (const size of ['pairs', 'steps', 'layers'] as const) {
  const points: { x: number; eapIg: number; bare: number }[] = [];
  for (const factor of factors) {
    const x = Math.round(base[size] * factor);
    const value = (of: keyof typeof base): number => (of === size ? x : base[of]);
    const [pairCount, steps, layers] = [value('pairs'), value('steps'), value('layers')];
    const model = await randomGpt2(gpu, { ...shape, layers }, 0);
    const pairs = randomPairs(pairCount, tokens, shape.vocabulary);
    // All pairs are one batch: what is seen is the work, not the count of batches.
    const jobs = {
      bare: () => barePasses(gpu, model, pairs, steps),
      eapIg: () => eapIgInputs(model, pairs, { metric: logitDiff, batchSize: pairCount, steps }),
    };
    // The first run compiles, and plans.
    for (const job of Object.values(jobs)) await job();
    const best = { bare: Infinity, eapIg: Infinity };
    for (let r = 0; r < repeats; r++)
      for (const name of ['bare', 'eapIg'] as const)
        best[name] = Math.min(best[name], await secondsOf(clock, jobs[name]));
    points.push({ x, ...best });
    console.log(`${x} ${size}: EAP-IG ${best.eapIg.toFixed(2)} s, bare model ${best.bare.toFixed(2)} s`);
    model.dispose();
  }
  sweeps.push({
    size,
    eapIg: points.map(({ x, eapIg }) => ({ x, seconds: eapIg })),
    bare: points.map(({ x, bare }) => ({ x, seconds: bare })),
  });
}
for (const sweep of sweeps) console.log(`${sweep.size}: ${fits(sweep)}`);
const file = path.join(options.out, `eap-scaling-${adapterName(source, description)}`);
const result = { adapter: description, source, shape, ...base, tokens, repeats, clock, sweeps };
save(`${file}.json`, `${JSON.stringify(result, undefined, 1)}\n`);
save(`${file}.svg`, scalingPlot(sweeps, about));
console.log(`written to ${path.relative(process.cwd(), file)}.json and .svg`);
gpu.dispose();
