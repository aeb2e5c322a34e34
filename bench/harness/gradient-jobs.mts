// Whole jobs of a model going back: gradients of its blocks, and an update of every weight.
import { nextTokenLoss, tensorsOf } from '@limn/gpt2';
import type { Step } from '@limn/gpu';
import { tokenBatch } from '@limn/hooks';
import { adamw, fromData, gradients, readFloats, type Tensor } from '@limn/tensor';
import { flopsOf, PROMPT, type ModelJobs } from './forward-jobs.mjs';
import type { BenchModel } from './gpt2-small.mjs';
import type { Beside, Job } from './job.mjs';
import { limnContender, timedBy } from './limn-contender.mjs';
import { compare } from './numbers.mjs';

/** The blocks forward, and back to `targets`; beside it the forward pass alone. */
function backward({ title, shape, open }: ModelJobs, to: 'parameters' | 'input'): Job {
  let held: BenchModel | undefined;
  const record = (step: Step): { resid: Tensor; input: Tensor } => {
    const { model } = held!;
    const tokens = tokenBatch([held!.ids(PROMPT)], model.info);
    const run = model.run(step, { tokens }, { logits: 'none', capture: ['hook_embed'] });
    return { resid: run.resid, input: run.at('hook_embed') };
  };
  const forward: Beside = {
    name: 'forward alone',
    open: async (gpu) => limnContender(gpu, (step) => record(step).resid),
  };
  const flops = flopsOf({ shape }, PROMPT);
  return {
    name: `${title}: blocks, forward and back to ${to === 'input' ? 'the embeddings' : 'every weight'}`,
    group: 'jobs',
    work: { flops: (to === 'input' ? 2 : 3) * flops },
    ceiling: 'fma',
    beside: [forward],
    async open(gpu) {
      held = await open(gpu);
      const { model } = held;
      const trained = [...model.parameters()].filter(([name]) => name.startsWith('h.'));
      return limnContender(gpu, (step) => {
        const { resid, input } = record(step);
        const targets = to === 'input' ? [input] : trained.flatMap(([, parameter]) => tensorsOf(parameter));
        return gradients(step, resid, 'ones', targets)[0]!;
      });
    },
    // The slope of Σ resid along the gradient itself, by differences of the forward pass: |g|².
    check: async (result) => (to === 'input' ? checkSlope(held!, result) : checkFirstGain(held!, result)),
  };
}

/** Σ resid for embeddings moved by ε along the gradient, against ε|g|². */
async function checkSlope(held: BenchModel, gradient: Float32Array): Promise<string> {
  const norm = Math.hypot(...gradient);
  const total = async (move: number): Promise<number> => {
    const { gpu, model, shape } = held;
    const step = gpu.step();
    const x = await held.embedded(held.ids(PROMPT));
    const moved = x.map((v, i) => v + (move * gradient[i]!) / norm);
    const resid = fromData(step, moved, [1, PROMPT, shape.width]);
    const run = model.run(step, { resid, layer: 0, at: 'pre', lengths: [PROMPT] }, { logits: 'none' });
    return (await readFloats(step, run.resid)).reduce((sum, v) => sum + v, 0);
  };
  const move = 0.02;
  const slope = ((await total(move)) - (await total(-move))) / (2 * move);
  return compare(Float32Array.of(slope), 1, [{ at: 0, value: norm, bound: 0.01 * norm }]);
}

/** ∂ Σ resid / ∂ γ of the first LayerNorm, along itself, by differences. */
async function checkFirstGain(held: BenchModel, gradient: Float32Array): Promise<string> {
  const { gpu, model } = held;
  const [name, parameter] = [...model.parameters()].find(([each]) => each.startsWith('h.'))!;
  const [gain] = tensorsOf(parameter) as [Tensor];
  const before = await gpu.read(gain.storage, 'f32');
  const norm = Math.hypot(...gradient);
  const total = async (move: number): Promise<number> => {
    gpu.write(
      gain.storage,
      before.map((v, i) => v + (move * gradient[i]!) / norm),
    );
    const step = gpu.step();
    const run = model.run(step, { tokens: tokenBatch([held.ids(PROMPT)], model.info) }, { logits: 'none' });
    return (await readFloats(step, run.resid)).reduce((sum, v) => sum + v, 0);
  };
  try {
    const move = 0.2;
    const slope = ((await total(move)) - (await total(-move))) / (2 * move);
    return `${name}: ${compare(Float32Array.of(slope), 1, [{ at: 0, value: norm, bound: 0.01 * norm }])}`;
  } finally {
    gpu.write(gain.storage, before);
  }
}

/** An update of every weight by AdamW on rows of tokens. */
function trainingStep({ title, shape, open }: ModelJobs, rows: number, tokens: number): Job {
  const targets = rows * (tokens - 1);
  return {
    name: `${title}: a training step on ${rows} × ${tokens} tokens`,
    group: 'jobs',
    work: { flops: 3 * (rows * flopsOf({ shape }, tokens - 1) + 2 * targets * shape.vocabulary * shape.width) },
    ceiling: 'fma',
    async open(gpu) {
      const held = await open(gpu);
      const { model } = held;
      const ids = held.ids(rows * tokens);
      const batch = Array.from({ length: rows }, (_, r) => ids.slice(r * tokens, (r + 1) * tokens));
      const params = [...model.parameters()].flatMap(([name, parameter]) =>
        tensorsOf(parameter).map((tensor, block) => ({ name: `${name}#${block}`, tensor })),
      );
      const optimiser = adamw(gpu, [{ params, rate: 1e-5, weightDecay: 0.01 }]);
      const record = (step: Step): Tensor => {
        const { loss } = nextTokenLoss(model, step, batch);
        optimiser.step(step, gradients(step, loss, 'ones', optimiser.tensors));
        return loss;
      };
      let programs: readonly string[] = [];
      const run = async (count: number): Promise<void> => {
        for (let i = 0; i < count; i++) {
          const step = gpu.step({ label: 'training step' });
          record(step);
          programs = step.plan().kernels;
          await step.submit();
        }
      };
      return {
        name: 'limn',
        ...timedBy(gpu, run),
        // The loss, the same in float64 from the logits, and the loss after the update.
        async result() {
          const exact = await lossInFloat64(held, batch);
          const losses: number[] = [];
          for (let i = 0; i < 2; i++) {
            const step = gpu.step();
            losses.push((await readFloats(step, record(step)))[0]!);
          }
          return Float32Array.of(losses[0]!, exact, losses[1]!);
        },
        programs: () => programs,
        dispose: () => optimiser.dispose(),
      };
    },
    check(result) {
      const [loss, exact, after] = result as unknown as [number, number, number];
      const said = compare(Float32Array.of(loss), 1, [{ at: 0, value: exact, bound: 1e-5 * exact }]);
      if (!(after < loss)) throw new Error(`the loss was ${loss} before the update and ${after} after it`);
      return `the loss: ${said}; an update lowers it`;
    },
  };
}

/** Mean −log p of the next tokens from the model's logits, in float64. */
async function lossInFloat64({ gpu, model }: BenchModel, batch: readonly (readonly number[])[]): Promise<number> {
  const { vocabulary } = model.info;
  let [sum, count] = [0, 0];
  for (const row of batch) {
    const step = gpu.step();
    const inputs = row.slice(0, -1);
    const logits = await readFloats(step, model.run(step, { tokens: tokenBatch([inputs], model.info) }).logits);
    inputs.forEach((_, t) => {
      const values = logits.subarray(t * vocabulary, (t + 1) * vocabulary);
      let [top, total] = [-Infinity, 0];
      for (const v of values) top = Math.max(top, v);
      for (const v of values) total += Math.exp(v - top);
      sum += top + Math.log(total) - values[row[t + 1]!]!;
      count += 1;
    });
  }
  return sum / count;
}

/** Both directions of the blocks, and an update on one prompt. */
export const gradientJobs = (on: ModelJobs): Job[] => [
  backward(on, 'input'),
  backward(on, 'parameters'),
  trainingStep(on, 1, PROMPT + 1),
];

/** An update on a batch of full rows. */
export const batchTrainingJob = (on: ModelJobs, rows: number): Job => trainingStep(on, rows, on.shape.maxPositions);
