// How far diffs move the residual stream: Σ over prompts and positions of x(M_i) − x(M), behind chosen blocks, of many diffs at a time.
import type { Step } from '@limn/gpu';
import { blockHook, inBatches, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { fromData, mul, readFloats, reshape, slice, stack as stackTensors, sub, sum, type Tensor } from '@limn/tensor';
import { DiffStack } from '../diffs/diff-stack.js';
import type { LoraGroup } from './lora-groups.js';

/** What is added up. */
export interface DifferenceSites {
  /** Behind which blocks. */
  readonly layers: readonly number[];
  /** Positions from … to − 1 of every prompt that has them. */
  readonly from: number;
  readonly to: number;
}

/**
 * For every layer [diffs, C] in float64, diffs of a group in its order. The bare model has rows of its own in each batch, and differences are taken place by place before they are added up, so that a
 * diff that changes nothing gives 0.
 * @throws LimnError `memory/over-budget`, `hooks/…`; AbortedError
 */
export async function differenceSums(
  model: HookedModel,
  group: LoraGroup,
  prompts: readonly (readonly number[])[],
  sites: DifferenceSites,
  controls: RunControls & { readonly batchSize: number; readonly memoryBytes: number },
): Promise<Float64Array[]> {
  const [N, C] = [group.loras.length, model.info.width];
  const sums = sites.layers.map(() => new Float64Array(N * C));
  using stack = DiffStack.create(model.gpu, group.linears, group.loras, group.rank);
  stack.write(group.loras);
  await inBatches(
    model.gpu,
    prompts,
    {
      what: 'The activation difference lens',
      unit: 'prompt',
      label: 'activation differences',
      lengthOf: ({ length }) => length,
      record: (step, batch) => recordDifferences(step, model, stack, batch, sites),
      take: async (step, recorded) => {
        const found = await readFloats(step, recorded);
        sums.forEach((into, l) => {
          for (let i = 0; i < into.length; i++) into[i] = (into[i] as number) + (found[l * into.length + i] as number);
        });
      },
    },
    controls,
  );
  return sums;
}

/** [layers, N, C] of one batch: N + 1 times the prompts, the bare model's first. */
function recordDifferences(
  step: Step,
  model: HookedModel,
  stack: DiffStack,
  prompts: readonly (readonly number[])[],
  { layers, from, to }: DifferenceSites,
): Tensor {
  const [P, N, C] = [prompts.length, stack.diffs.length, model.info.width];
  const all = Array.from({ length: N + 1 }, () => prompts).flat();
  const tokens = tokenBatch(all, model.info);
  const { T } = tokens;
  const taskOfRow = all.map((_, row) => Math.floor(row / P) - 1);
  const capture = layers.map((layer) => blockHook(layer, 'hook_resid_post'));
  const run = model.run(
    step,
    { tokens },
    { capture, interventions: stack.interventions({ taskOfRow }), stopAtLayer: Math.max(...layers) + 1 },
  );
  // 1 where a position counts: padding does not.
  const counts = Float32Array.from({ length: P * T }, (_, i) => {
    const [row, t] = [Math.floor(i / T), i % T];
    return t >= from && t < Math.min(to, tokens.lengths[row] as number) ? 1 : 0;
  });
  const mask = fromData(step, counts, [1, P * T, 1]);
  return stackTensors(
    step,
    capture.map((at) => {
      const x = reshape(run.at(at), [N + 1, P * T, C]);
      const bare = slice(step, x, 0, 0, 1);
      const moved = sub(step, slice(step, x, 0, 1, N), bare);
      return sum(step, mul(step, moved, mask), { axes: 1 });
    }),
  );
}
