// A model of GPT-2 XL's shape, or another size, at WebGPU's default limits: F16 weights made as they are read go to the GPU one by one, then a
// forward pass of 16 tokens; peak host and GPU memory against the weights.
// npx tsx --conditions limn-source bench/large-shape.mts [--shape gpt2-xl|gpt2-large|gpt2-medium|gpt2] [--weights f32] [--out DIR] [--layers … as check:shapes]
import path from 'node:path';
import { parseArgs } from 'node:util';
import { describePlan, loadGpt2 } from '@limn/gpt2';
import { tokenBatch } from '@limn/hooks';
import { randomU32, readFloats } from '@limn/tensor';
import { namedShape, shapeOf, shapeOptions } from './arguments.mjs';
import { openAtDefaultLimits } from './default-limits.mjs';
import { randomFiles } from './random-files.mjs';
import { adapterName, RESULTS, save } from './result-file.mjs';

const TOKENS = 16;

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: 'gpt2-xl' },
    weights: { type: 'string', default: 'f16' },
    out: { type: 'string' },
    ...Object.fromEntries(Object.keys(shapeOptions).map((name) => [name, { type: 'string' } as const])),
  },
});
const weights = options.weights === 'f32' ? 'f32' : 'f16';
const sizes = Object.fromEntries(Object.entries(options).filter(([name]) => name in shapeOptions));
const shape = shapeOf({ ...namedShape(options.shape), ...sizes });
const name = Object.keys(sizes).length > 0 ? 'other' : options.shape;
/** Beside XL's weights everything else is small: a process that held a second copy of much would pass this. */
const HOST_BOUND = 1.3;
const gibibytes = (bytes: number): string => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
/** Most bytes of memory that this process has had at once; on a software adapter the GPU's are among them. */
const peakHost = (): number => 1024 * process.resourceUsage().maxRSS;

const gpu = await openAtDefaultLimits('large shape');
const { adapter, source } = gpu.capabilities;
const description = adapter.description || adapter.device;
console.log(`${name} in ${weights} on ${description} (${source}), every limit at WebGPU's default`);
const hostBefore = process.memoryUsage.rss();

const started = performance.now();
let told = started;
const { model } = await loadGpt2(gpu, randomFiles(shape), {
  weights,
  onPlan: (plan) => console.log(describePlan(plan)),
  onProgress({ done, total }) {
    if (performance.now() - told < 20_000) return;
    told = performance.now();
    console.log(`  ${done}/${total} tensors, host ${gibibytes(peakHost())} at most`);
  },
});
const loadSeconds = (performance.now() - started) / 1000;
const weightBytes = gpu.counters.bytesLive;
const hostAfterLoad = peakHost();
console.log(
  `weights: ${gibibytes(weightBytes)} on the GPU in ${loadSeconds.toFixed(0)} s; host ${gibibytes(hostAfterLoad)} at most`,
);

const ids = Array.from({ length: TOKENS }, (_, t) => randomU32(1, 0, t) % shape.vocabulary);
const step = gpu.step({ label: 'forward' });
const run = model.run(step, { tokens: tokenBatch([ids], model.info) });
const { dispatches, submits, flops, bytesLowerBound } = step.plan();
const forwardStarted = performance.now();
const logits = await readFloats(step, run.logits);
const seconds = (performance.now() - forwardStarted) / 1000;
if (!logits.every(Number.isFinite) || logits.every((logit) => logit === logits[0]))
  throw new Error('the logits are no logits');
const { bytesPeak } = gpu.counters;
const result = {
  adapter: description,
  source,
  shape: { name, ...shape },
  weights,
  tokens: TOKENS,
  weightBytes,
  forward: { dispatches, submits, flops, seconds, bytesLowerBound },
  gpuPeak: bytesPeak,
  gpuPeakOverWeights: bytesPeak / weightBytes,
  gpuPeakOverPlanned: bytesPeak / (weightBytes + bytesLowerBound),
  loadSeconds,
  hostBefore,
  hostPeak: peakHost(),
  hostPeakOverWeights: peakHost() / weightBytes,
};
console.log(
  `forward pass of ${TOKENS} tokens: ${dispatches} dispatches, ${submits} submits, ${(flops / 1e9).toFixed(0)} GFLOP, ${seconds.toFixed(0)} s`,
);
console.log(
  `peak: GPU ${gibibytes(bytesPeak)} (${result.gpuPeakOverPlanned.toFixed(3)} of weights and liveness bound); ` +
    `host ${gibibytes(result.hostPeak)}, ${result.hostPeakOverWeights.toFixed(3)} of the weights${adapter.isFallback ? ", the GPU's memory included" : ''}`,
);
if (options.shape === 'gpt2-xl' && name !== 'other' && result.hostPeakOverWeights > HOST_BOUND)
  throw new Error(`the host was to hold at most ${HOST_BOUND} times the weights`);
const file = path.join(
  options.out ?? RESULTS,
  `large-shape-${name}-${weights}-${adapterName(source, description)}.json`,
);
save(file, `${JSON.stringify(result, undefined, 1)}\n`);
console.log(`written to ${path.relative(process.cwd(), file)}`);
model.dispose();
gpu.dispose();
