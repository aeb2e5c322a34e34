// Whole jobs of a model going forward: its blocks over a prompt, one more token behind a cache, logits.
import type { Gpu, Step } from '@limn/gpu';
import { tokenBatch, type KeyValueCache } from '@limn/hooks';
import { readFloats, type Tensor } from '@limn/tensor';
import type { Contender } from './contender.mjs';
import type { BenchModel } from './gpt2-small.mjs';
import type { Job } from './job.mjs';
import { limnContender, timedBy } from './limn-contender.mjs';
import { compare, places, type Expected } from './numbers.mjs';

/** Opens the model on first use; the jobs of one run share it. */
export type SharedModel = (gpu: Gpu) => Promise<BenchModel>;

/** Tokens of a prompt. */
export const PROMPT = 64;

/** 24 C² a token and block in the products, and attention over the half that causality leaves; V C for logits. */
export const flopsOf = ({ shape: { layers, width } }: { shape: BenchModel['shape'] }, tokens: number): number =>
  layers * (24 * width ** 2 * tokens + 2 * width * tokens ** 2);

/** Of the blocks' matrices, which every decoded token reads once. */
const weightBytes = ({ layers, width }: BenchModel['shape']): number => 4 * layers * 12 * width ** 2;

/** Float32's share of twelve blocks: 10⁻⁴ of the largest value. */
function near(values: ArrayLike<number>, which: readonly number[], scale = 1e-4): Expected[] {
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, Math.abs(values[i]!));
  return which.map((at) => ({ at, value: values[at]!, bound: scale * largest }));
}

/** The blocks over a prompt; peers do it too. */
function trunk(title: string, shape: BenchModel['shape'], open: SharedModel): Job {
  let expected: Promise<Float64Array> | undefined;
  let held: BenchModel | undefined;
  return {
    name: `${title}: blocks over ${PROMPT} tokens`,
    group: 'jobs',
    work: { flops: flopsOf({ shape }, PROMPT) },
    ceiling: 'fma',
    async open(gpu) {
      held = await open(gpu);
      const { model } = held;
      const ids = held.ids(PROMPT);
      return limnContender(
        gpu,
        (step) => model.run(step, { tokens: tokenBatch([ids], model.info) }, { logits: 'none' }).resid,
      );
    },
    async spec() {
      const { heads, width } = shape;
      const blocks = await held!.blocks();
      return { kind: 'trunk', heads, width, tokens: PROMPT, blocks, x: await held!.embedded(held!.ids(PROMPT)) };
    },
    async check(result) {
      const values = await (expected ??= held!.trunkInFloat64(held!.ids(PROMPT)));
      return `its first tokens: ${compare(result, PROMPT * shape.width, near(values, places(499, values.length)))}`;
    },
  };
}

/** One token behind a cache of PROMPT tokens, over and over; a full cache is filled anew, which is part of the time. */
async function decoding(held: BenchModel, logits: 'none' | 'last'): Promise<Contender> {
  const { gpu, model } = held;
  const ids = held.ids(PROMPT + 1);
  let cache: KeyValueCache | undefined;
  const refill = async (): Promise<void> => {
    cache?.dispose();
    const step = gpu.step({ label: 'prompt' });
    const tokens = tokenBatch([ids.slice(0, PROMPT)], model.info);
    cache = model.prefill(step, tokens, { logits: 'none', capacity: 2 * PROMPT }).cache;
    await step.submit();
  };
  const token = tokenBatch([ids.slice(PROMPT)], model.info);
  const record = (step: Step): Tensor => {
    const run = model.decode(step, token, cache!, { logits });
    return logits === 'none' ? run.resid : run.logits;
  };
  const run = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) {
      if (!cache || cache.lengths[0] === cache.capacity) await refill();
      const step = gpu.step({ label: 'decode' });
      record(step);
      programs = step.plan().kernels;
      await step.submit();
    }
  };
  let programs: readonly string[] = [];
  return {
    name: 'limn',
    ...timedBy(gpu, run),
    async result() {
      await refill();
      const step = gpu.step();
      return readFloats(step, record(step));
    },
    programs: () => programs,
    dispose: () => cache?.dispose(),
  };
}

/** The residual stream behind the last block, or the logits, of a whole pass over `ids`: its last row. */
async function lastRow(held: BenchModel, ids: readonly number[], logits: boolean): Promise<Float32Array> {
  const { gpu, model } = held;
  const step = gpu.step();
  const run = model.run(step, { tokens: tokenBatch([ids], model.info) }, { logits: logits ? 'last' : 'none' });
  const all = await readFloats(step, logits ? run.logits : run.resid);
  return all.slice(all.length - (logits ? model.info.vocabulary : model.info.width));
}

function decode(title: string, shape: BenchModel['shape'], open: SharedModel, logits: boolean): Job {
  let held: BenchModel | undefined;
  const bytes = weightBytes(shape) + (logits ? 4 * shape.vocabulary * shape.width : 0);
  return {
    name: `${title}: ${logits ? 'a token with its logits' : 'blocks, one token'} behind a cache of ${PROMPT}`,
    group: 'jobs',
    work: { flops: bytes / 2, bytes },
    ceiling: 'read-kernel',
    async open(gpu) {
      held = await open(gpu);
      return decoding(held, logits ? 'last' : 'none');
    },
    ...(logits
      ? {}
      : {
          async spec() {
            const ids = held!.ids(PROMPT + 1);
            const { heads, width } = shape;
            const cached = await held!.keysAndValues(ids.slice(0, PROMPT));
            const x = await held!.embedded(ids.slice(PROMPT), PROMPT);
            return { kind: 'decode' as const, heads, width, past: PROMPT, blocks: await held!.blocks(), ...cached, x };
          },
        }),
    async check(result) {
      const whole = await lastRow(held!, held!.ids(PROMPT + 1), logits);
      const wanted = near(whole, places(499, whole.length));
      return `a pass over all tokens: ${compare(result, whole.length, wanted)}`;
    },
  };
}

/** Logits of the last token of a prompt. */
function prefill(title: string, shape: BenchModel['shape'], open: SharedModel): Job {
  let held: BenchModel | undefined;
  const { vocabulary, width } = shape;
  return {
    name: `${title}: ${PROMPT} tokens to the logits of the last`,
    group: 'jobs',
    work: { flops: flopsOf({ shape }, PROMPT) + 2 * vocabulary * width },
    ceiling: 'fma',
    async open(gpu) {
      held = await open(gpu);
      const { model } = held;
      const ids = held.ids(PROMPT);
      return limnContender(
        gpu,
        (step) => model.run(step, { tokens: tokenBatch([ids], model.info) }, { logits: 'last' }).logits,
      );
    },
    async check(result) {
      const weights = await held!.weights();
      const x = await lastRow(held!, held!.ids(PROMPT), false);
      const mean = x.reduce((sum, v) => sum + v, 0) / width;
      const r = 1 / Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / width + 1e-5);
      const y = Array.from(
        x,
        (v, i) => (v - mean) * r * weights.get('ln_f.weight')![i]! + weights.get('ln_f.bias')![i]!,
      );
      const table = weights.get('wte.weight')!;
      const logits = (id: number): number => y.reduce((sum, v, i) => sum + v * table[id * width + i]!, 0);
      const wanted = places(199, vocabulary).map((at) => ({ at, value: logits(at), bound: 2e-4 }));
      return `the unembedding of its last stream: ${compare(result, vocabulary, wanted)}`;
    },
  };
}

/** A model that jobs are made for. */
export interface ModelJobs {
  readonly title: string;
  readonly shape: BenchModel['shape'];
  readonly open: SharedModel;
}

/** All of them. */
export function forwardJobs({ title, shape, open }: ModelJobs): Job[] {
  return [
    trunk(title, shape, open),
    decode(title, shape, open, false),
    decode(title, shape, open, true),
    prefill(title, shape, open),
  ];
}
