// What EAP-IG costs beside the bare model: its time over that of 2 forward passes and m forward and backward passes of the same rows, interleaved in one run; and its peak GPU memory.
// npx tsx --conditions limn-source bench/eap-cost.mts [--pairs 100 --tokens 17 --steps 5 --batch 10 --repeats 3 --out DIR --layers 12 …]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { eap, eapIgInputs, logitDiff, type Pair } from '@limn/attribution';
import { randomGpt2 } from '@limn/gpt2';
import { formatBytes } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { tokenBatch } from '@limn/hooks';
import { gradients, readFloats } from '@limn/tensor';
import { shapeName, shapeOf, shapeOptions, whole } from './arguments.mjs';
import { randomPairs } from './random-pairs.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const number = (text: string) => ({ type: 'string', default: text }) as const;
const { values: options } = parseArgs({
  options: {
    pairs: number('100'),
    tokens: number('17'),
    steps: number('5'),
    batch: number('10'),
    repeats: number('3'),
    out: { type: 'string' },
    ...shapeOptions,
  },
});
const shape = shapeOf(options);
const [pairCount, tokens, steps, batchSize, repeats] = [
  whole(options.pairs),
  whole(options.tokens),
  whole(options.steps),
  whole(options.batch),
  whole(options.repeats),
] as const;

const gpu = await openNodeGpu({ limits: 'default', label: 'eap cost' });
const { adapter, source } = gpu.capabilities;
const description = adapter.description || adapter.device;
/** A software adapter's work is this process's own CPU time; a GPU's is seen from outside only. */
const software = /llvmpipe|swiftshader/i.test(description);
const seconds = async (work: () => Promise<unknown>): Promise<number> => {
  const [start, cpu] = [performance.now(), process.cpuUsage()];
  await work();
  const used = process.cpuUsage(cpu);
  return software ? (used.user + used.system) / 1e6 : (performance.now() - start) / 1e3;
};

const model = await randomGpt2(gpu, shape, 0);
gpu.trim();
const weightBytes = gpu.counters.bytesLive;
const pairs = randomPairs(pairCount, tokens, shape.vocabulary);
const scoring = { metric: logitDiff, batchSize };
const jobs = {
  'bare model': () => barePasses(pairs, steps),
  'EAP-IG': () => eapIgInputs(model, pairs, { ...scoring, steps }),
  'bare model, one backward': () => barePasses(pairs, 0),
  EAP: () => eap(model, pairs, scoring),
};
console.log(
  `${shapeName(shape)} on ${description}; ${pairCount} pairs of ${tokens} tokens, ${steps} steps, ${batchSize} pairs at once, ${software ? 'CPU' : 'wall'} seconds`,
);
const peaks: Record<string, number> = {};
for (const [name, job] of Object.entries(jobs)) {
  // Warm-up on one batch: pipelines, plans, and the memory that one batch takes.
  gpu.trim();
  gpu.resetCounters();
  await seconds(job);
  peaks[name] = gpu.counters.bytesPeak - weightBytes;
}
const times: Record<string, number[]> = Object.fromEntries(Object.keys(jobs).map((name) => [name, []]));
for (let r = 0; r < repeats; r++)
  for (const [name, job] of Object.entries(jobs)) {
    const took = await seconds(job);
    times[name]?.push(took);
    console.log(`${name}: ${took.toFixed(2)} s`);
  }
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const ratios = {
  'EAP-IG': median(times['EAP-IG'] ?? []) / median(times['bare model'] ?? []),
  EAP: median(times['EAP'] ?? []) / median(times['bare model, one backward'] ?? []),
};
for (const [name, ratio] of Object.entries(ratios))
  console.log(
    `${name}: ${ratio.toFixed(3)} × the bare model; peak beyond the weights ${formatBytes(peaks[name] ?? 0)}`,
  );
const out = options.out ?? RESULTS;
const file = path.join(out, `eap-cost-${adapterName(source, description)}.json`);
save(
  file,
  `${JSON.stringify({ adapter: description, source, shape, pairs: pairCount, tokens, steps, batchSize, clock: software ? 'cpu' : 'wall', times, ratios, weightBytes, peaks }, undefined, 1)}\n`,
);
console.log(`written to ${path.relative(process.cwd(), file)}`);
model.dispose();
gpu.dispose();

/** Two forward passes, and m forward and backward passes to the embeddings as rows of one run; with m = 0 one forward of two goes back. */
async function barePasses(pairs: readonly Pair[], m: number): Promise<void> {
  for (let start = 0; start < pairs.length; start += batchSize) {
    const batch = pairs.slice(start, start + batchSize);
    const prompts = (which: 'clean' | 'corrupted', times = 1) => ({
      tokens: tokenBatch(Array.from({ length: times }, () => batch.map((pair) => pair[which])).flat(), model.info),
    });
    const step = gpu.step({ label: 'bare' });
    try {
      const ends = [];
      if (m > 0) ends.push(model.run(step, prompts('clean'), { logits: 'none' }).resid);
      ends.push(model.run(step, prompts('corrupted'), { logits: 'none' }).resid);
      const run = model.run(step, prompts('clean', Math.max(m, 1)), { capture: ['hook_embed'], logits: 'last' });
      const answers = Array.from({ length: Math.max(m, 1) }, () => batch).flat();
      const loss = logitDiff.loss(step, run.logits, answers, undefined);
      ends.push(...gradients(step, loss, 'ones', [run.at('hook_embed')]));
      await Promise.all(ends.map((end) => readFloats(step, end)));
    } finally {
      step.dispose();
    }
  }
}
