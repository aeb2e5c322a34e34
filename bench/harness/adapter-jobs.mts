// Training many LoRAs at once: 64 of rank 1 on every linear map, one a row of the batch, beside one that owns all rows. Runs in Node and in browsers.
import type { Gpu, Step } from '@limn/gpu';
import { tokenBatch, withTaskAdapters, type TaskLowRank } from '@limn/hooks';
import { adamw, crossEntropy, fromData, gradients, persistent, readFloats, sumAll, type Tensor } from '@limn/tensor';
import type { Contender } from './contender.mjs';
import { flopsOf, type ModelJobs } from './forward-jobs.mjs';
import type { BenchModel, BenchShape } from './gpt2-small.mjs';
import type { Job } from './job.mjs';
import { timedBy } from './limn-contender.mjs';
import { numbers } from './numbers.mjs';

const ROWS = 64;

/** Two of GPT-2 small's blocks with a small vocabulary: what adapters add to a block is the same in twelve. */
export const TWO_BLOCKS: BenchShape = { layers: 2, heads: 12, width: 768, vocabulary: 440, maxPositions: 48 };

/** `tasks` adapters on all linear maps, trained by their rows' last tokens: forward, back and an update of Adam. */
async function train(held: BenchModel, tasks: number, tokens: number): Promise<Contender> {
  const { gpu, model } = held;
  const changes = model.linears().map((linear, i): TaskLowRank => ({
    linear,
    a: persistent(gpu, [tasks, 1, linear.inWidth], numbers(tasks * linear.inWidth, 30 + i, 0.05)),
    // Zero, as LoRAs begin: what they change is nothing before the first update.
    b: persistent(gpu, [tasks, linear.outWidth, 1]),
    scales: new Float32Array(tasks).fill(1),
  }));
  const params = changes.flatMap(({ linear, a, b }) => [
    { name: `${linear.name}.a`, tensor: a },
    { name: `${linear.name}.b`, tensor: b },
  ]);
  const optimiser = adamw(gpu, [{ params, rate: 1e-4, tasks: { count: tasks } }]);
  const ids = held.ids(ROWS * (tokens + 1));
  const row = (r: number): number[] => ids.slice(r * (tokens + 1), (r + 1) * (tokens + 1) - 1);
  const batch = tokenBatch(
    Array.from({ length: ROWS }, (_, r) => row(r)),
    model.info,
  );
  const targets = Uint32Array.from({ length: ROWS }, (_, r) => ids[(r + 1) * (tokens + 1) - 1]!);
  const taskOfRow = Array.from({ length: ROWS }, (_, r) => Math.floor((r * tasks) / ROWS));
  const losses = (step: Step, adapted: boolean): Tensor => {
    const interventions = adapted ? withTaskAdapters('bench', changes, { taskOfRow }) : [];
    const { logits } = model.run(step, { tokens: batch }, { interventions, logits: 'last' });
    return crossEntropy(step, logits, fromData(step, targets, [ROWS]));
  };
  const update = (step: Step): Tensor => {
    const own = losses(step, true);
    optimiser.step(step, gradients(step, sumAll(step, own), 'ones', optimiser.tensors));
    return own;
  };
  let programs: readonly string[] = [];
  return {
    name: 'limn',
    ...timedBy(gpu, async (count) => {
      for (let i = 0; i < count; i++) {
        const step = gpu.step({ label: 'training step of adapters' });
        update(step);
        programs = step.plan().kernels;
        await step.submit();
      }
    }),
    // Losses of the bare model, of the adapters as they begin, and after an update of each.
    async result() {
      for (const { b } of changes) gpu.write(b.storage, new Float32Array(b.size));
      const all: number[] = [];
      for (const each of [(step: Step) => losses(step, false), update, (step: Step) => losses(step, true)]) {
        const step = gpu.step();
        all.push(...(await readFloats(step, each(step))));
      }
      return Float32Array.from(all);
    },
    programs: () => programs,
    dispose: () => [optimiser, ...params.map(({ tensor }) => tensor)].forEach((each) => each.dispose()),
  };
}

/** The update of 64 adapters, each by one row, beside that of one by all rows. */
export function adapterJob({ title, shape, open }: ModelJobs, tokens: number, more: Partial<Job> = {}): Job {
  const by = async (gpu: Gpu, tasks: number): Promise<Contender> => train(await open(gpu), tasks, tokens);
  return {
    name: `${title}: a training step of ${ROWS} LoRAs of rank 1, ${tokens} tokens each`,
    group: 'jobs',
    // Forward and back to activations: no weight of the model has a gradient.
    work: { flops: 2 * ROWS * flopsOf({ shape }, tokens) },
    ceiling: 'fma',
    beside: [
      { name: 'one LoRA on as many tokens', open: async (gpu) => ({ ...(await by(gpu, 1)), name: 'one LoRA' }) },
    ],
    open: (gpu) => by(gpu, ROWS),
    check(result) {
      const part = (i: number): Float32Array => result.subarray(i * ROWS, (i + 1) * ROWS);
      const [bare, first, after] = [part(0), part(1), part(2)];
      const off = first.findIndex((loss, r) => !(Math.abs(loss - bare[r]!) <= 1e-5 * bare[r]!));
      if (off >= 0)
        throw new Error(`the loss of row ${off} is ${first[off]} as its adapter begins, ${bare[off]} without`);
      const worse = after.findIndex((loss, r) => !(loss < first[r]!));
      if (worse >= 0)
        throw new Error(`the loss of row ${worse} was ${first[worse]} before its update and ${after[worse]} after it`);
      return `${ROWS} losses are the bare model's as adapters begin, to 1e-5; an update lowers every one`;
    },
    ...more,
  };
}
