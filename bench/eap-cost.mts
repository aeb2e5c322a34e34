// What EAP and EAP-IG cost beside the bare model's passes over the same rows, interleaved batch by batch in one run; and their peak GPU memory.
// Every finished batch is kept: stopped, it goes on where it was.
// npm run eap-cost [-- --shape gpt2|gpt2-medium --pairs 100 --tokens 17 --steps 5 --batch 10 --out DIR --layers 12 …]
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { eap, eapIgInputs, logitDiff, type Pair } from '@limn/attribution';
import { randomGpt2 } from '@limn/gpt2';
import { formatBytes } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { namedShape, shapeName, shapeOf, shapeOptions, whole } from './arguments.mjs';
import { barePasses } from './eap-cost/bare-passes.mjs';
import { clockOf, secondsOf } from './stopwatch.mjs';
import { randomPairs } from './random-pairs.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const number = (text: string) => ({ type: 'string', default: text }) as const;
const { values: options } = parseArgs({
  options: {
    shape: number('gpt2'),
    pairs: number('100'),
    tokens: number('17'),
    steps: number('5'),
    batch: number('10'),
    out: { type: 'string', default: RESULTS },
    ...Object.fromEntries(Object.keys(shapeOptions).map((name) => [name, { type: 'string' } as const])),
  },
});
const sizes = Object.fromEntries(Object.entries(options).filter(([name]) => name in shapeOptions));
const shape = shapeOf({ ...namedShape(options.shape), ...sizes });
const [tokens, steps, batchSize] = [whole(options.tokens), whole(options.steps), whole(options.batch)] as const;

const gpu = await openNodeGpu({ limits: 'default', label: 'eap cost' });
const { adapter, source } = gpu.capabilities;
const description = adapter.description || adapter.device;
const clock = clockOf(description);
const about = { adapter: description, source, shape, pairs: whole(options.pairs), tokens, steps, batchSize, clock };

/** One batch: seconds of each job, and most bytes beyond the weights. */
interface Batch {
  readonly pairs: number;
  readonly seconds: Readonly<Record<string, number>>;
  readonly bytes: Readonly<Record<string, number>>;
}

const name = Object.keys(sizes).length > 0 ? 'other' : options.shape;
const file = path.join(options.out, `eap-cost-${name}-${adapterName(source, description)}.json`);
const batches: Batch[] = earlier();
console.log(
  `${shapeName(shape)} on ${description}; ${about.pairs} pairs of ${tokens} tokens, ${steps} steps, ${batchSize} pairs at once, seconds of ${clock} time`,
);

const model = await randomGpt2(gpu, shape, 0);
gpu.trim();
const weightBytes = gpu.counters.bytesLive;
const scoring = { metric: logitDiff, batchSize };
const jobs: Record<string, (pairs: readonly Pair[]) => Promise<unknown>> = {
  'bare model': (pairs) => barePasses(gpu, model, pairs, steps),
  'EAP-IG': (pairs) => eapIgInputs(model, pairs, { ...scoring, steps }),
  'bare model, one backward': (pairs) => barePasses(gpu, model, pairs, 0),
  EAP: (pairs) => eap(model, pairs, scoring),
};
const pairs = randomPairs(about.pairs, tokens, shape.vocabulary);
// One pair is enough to compile everything.
for (const job of Object.values(jobs)) await job(pairs.slice(0, 1));

for (let start = batches.reduce((sum, batch) => sum + batch.pairs, 0); start < pairs.length; start += batchSize) {
  const batch = pairs.slice(start, start + batchSize);
  const seconds: Record<string, number> = {};
  const bytes: Record<string, number> = {};
  for (const [job, work] of Object.entries(jobs)) {
    gpu.trim();
    gpu.resetCounters();
    seconds[job] = await secondsOf(clock, () => work(batch));
    bytes[job] = gpu.counters.bytesPeak - weightBytes;
  }
  batches.push({ pairs: batch.length, seconds, bytes });
  save(file, `${JSON.stringify({ ...about, weightBytes, ...summary(), batches }, undefined, 1)}\n`);
  const took = Object.entries(seconds).map(([job, each]) => `${job} ${each.toFixed(2)} s`);
  console.log(`${start + batch.length}/${pairs.length} pairs: ${took.join(', ')}`);
}
const { ratios, peaks } = summary();
for (const [job, ratio] of Object.entries(ratios))
  console.log(
    `${job}: ${ratio.toFixed(3)} × the bare model; peak beyond the weights ${formatBytes(peaks[job] ?? Number.NaN)}`,
  );
console.log(`written to ${path.relative(process.cwd(), file)}`);
model.dispose();
gpu.dispose();

/** Time over all batches as a ratio, its spread over batches, and peaks. */
function summary() {
  const total = (job: string): number => batches.reduce((sum, { seconds }) => sum + (seconds[job] ?? Number.NaN), 0);
  const ratio = (job: string, bare: string): number => total(job) / total(bare);
  const single = batches.map(
    ({ seconds }) => (seconds['EAP-IG'] ?? Number.NaN) / (seconds['bare model'] ?? Number.NaN),
  );
  return {
    ratios: { 'EAP-IG': ratio('EAP-IG', 'bare model'), EAP: ratio('EAP', 'bare model, one backward') } as Record<
      string,
      number
    >,
    eapIgOfBatches: { least: Math.min(...single), most: Math.max(...single) },
    peaks: Object.fromEntries(
      Object.keys(jobs).map((job) => [job, Math.max(...batches.map(({ bytes }) => bytes[job] ?? Number.NaN))]),
    ) as Record<string, number>,
  };
}

/** Batches of a run with the same settings that was stopped, or was finished. */
function earlier(): Batch[] {
  if (!existsSync(file)) return [];
  const { batches, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as typeof about & { batches: Batch[] };
  const same = Object.entries(about).every(([key, value]) =>
    isDeepStrictEqual((rest as Record<string, unknown>)[key], value),
  );
  return same && batches.reduce((sum, batch) => sum + batch.pairs, 0) < about.pairs ? batches : [];
}
