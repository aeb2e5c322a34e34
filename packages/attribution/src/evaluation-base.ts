// What circuits are measured against: for each slot the stream x'_v and for each node the output z'_u of the ablated model, and the clean answers.
import { blockHook, lastRows } from '@limn/hooks';
import type { HookedModel, HookName, Run } from '@limn/hooks';
import type { Step } from '@limn/gpu';
import { add, detach, readFloats, reshape, slice, sub, sum, type Tensor } from '@limn/tensor';
import { expectLengths } from './ablation.js';
import type { Ablation } from './ablation.js';
import { holding } from './held-tensors.js';
import { metricLoss } from './metric-loss.js';
import type { Metric } from './metrics.js';
import { constantNodeOutputs, layersOf, nodeOutputs, outputCaptures } from './node-outputs.js';
import type { OutputWeights, SourceBlock } from './node-outputs.js';
import { pairTokens } from './pair-tokens.js';
import type { Pair } from './pairs.js';

/** Mean over the pairs, and the values themselves, by metric; higher is better (the negated loss). */
export interface MetricValues {
  readonly mean: Readonly<Record<string, number>>;
  readonly perExample: Readonly<Record<string, Float64Array>>;
}

/** Kept on the GPU while the circuits of one batch of pairs are evaluated. */
export class EvaluationBase {
  private constructor(
    readonly lengths: readonly number[],
    readonly T: number,
    /** [B, V] of the clean run. */
    readonly cleanLogits: Tensor,
    /** e − e' (or e, when ablated by zero), [1, B, T, C]. */
    readonly inputChange: Tensor,
    /** x' [B, T, C] that the heads of each layer read. */
    readonly beforeHeads: readonly Tensor[],
    /** x' [B, T, C] that the MLP of each layer reads. */
    readonly beforeMlp: readonly Tensor[],
    /** x' [B, T, C] that the logits read. */
    readonly last: Tensor,
    /** z' per layer, heads then MLP, [H + 1, B, T, C]. */
    readonly outputs: readonly Tensor[],
    /** Losses [B] per metric of the clean run and of the empty circuit. */
    readonly cleanLosses: readonly Float32Array[],
    readonly emptyLosses: readonly Float32Array[],
    readonly dispose: () => void,
  ) {}

  static async of(
    model: HookedModel,
    weights: OutputWeights,
    pairs: readonly Pair[],
    metrics: readonly Metric[],
    { ablation, signal }: { readonly ablation: Ablation; readonly signal: AbortSignal | undefined },
  ): Promise<EvaluationBase> {
    const step = model.gpu.step({ label: 'circuits: base', ...(signal ? { signal } : {}) });
    return holding(step, async (hold, release) => {
      const clean = model.run(
        step,
        {
          tokens: pairTokens(pairs, 'clean', model.info),
        },
        { capture: ['hook_embed'], logits: 'last' },
      );
      expectLengths(ablation, clean.lengths);
      const ablated =
        ablation === 'patch'
          ? corruptedRun(step, model, weights, pairs)
          : constantRun(step, model, weights, ablation, clean);
      const cleanLogits = hold(clean.logits);
      const emptyLogits = model.logits(step, ablated.last, lastRows(clean.lengths, clean.T));
      const read = (logits: Tensor): Promise<Float32Array[]> =>
        Promise.all(metrics.map((metric) => readFloats(step, metricLoss(step, metric, logits, pairs, cleanLogits))));
      const change = sub(step, detach(clean.at('hook_embed')), ablated.embed);
      const held = {
        inputChange: hold(reshape(change, [1, ...change.shape])),
        beforeHeads: ablated.beforeHeads.map(hold),
        beforeMlp: ablated.beforeMlp.map(hold),
        last: hold(ablated.last),
        outputs: ablated.outputs.map(hold),
      };
      const [cleanLosses, emptyLosses] = await Promise.all([read(cleanLogits), read(emptyLogits)]);
      return new EvaluationBase(
        clean.lengths,
        clean.T,
        cleanLogits,
        held.inputChange,
        held.beforeHeads,
        held.beforeMlp,
        held.last,
        held.outputs,
        cleanLosses,
        emptyLosses,
        release,
      );
    });
  }
}

interface AblatedRun {
  readonly embed: Tensor;
  readonly beforeHeads: readonly Tensor[];
  readonly beforeMlp: readonly Tensor[];
  readonly last: Tensor;
  readonly outputs: readonly Tensor[];
}

function corruptedRun(step: Step, model: HookedModel, weights: OutputWeights, pairs: readonly Pair[]): AblatedRun {
  const { info } = model;
  const heads = (layer: number): HookName => blockHook(layer, 'hook_resid_pre');
  const mlp = (layer: number): HookName =>
    blockHook(layer, info.block === 'sequential' ? 'hook_resid_mid' : 'hook_resid_pre');
  const last = blockHook(info.layers - 1, 'hook_resid_post');
  const streams = layersOf(info).flatMap((layer) => [heads(layer), mlp(layer)]);
  const run: Run = model.run(
    step,
    {
      tokens: pairTokens(pairs, 'corrupted', info),
    },
    { capture: [...new Set([...outputCaptures(model), ...streams, last])], logits: 'none' },
  );
  const [, ...perLayer] = nodeOutputs(step, model, weights, run) as [SourceBlock, ...SourceBlock[]];
  return {
    embed: detach(run.at('hook_embed')),
    beforeHeads: layersOf(info).map((layer) => run.at(heads(layer))),
    beforeMlp: layersOf(info).map((layer) => run.at(mlp(layer))),
    last: run.at(last),
    outputs: perLayer.map(({ tensor }) => tensor),
  };
}

/** Every node writes zero, or its mean: x' is positions, the output biases of the attention layers before, and these means. */
function constantRun(
  step: Step,
  model: HookedModel,
  weights: OutputWeights,
  ablation: Exclude<Ablation, 'patch'>,
  { B, T, lengths }: Run,
): AblatedRun {
  const { info } = model;
  const [input, ...perLayer] = constantNodeOutputs(step, model, weights, ablation, [B, T]) as [
    SourceBlock,
    ...SourceBlock[],
  ];
  const shape = [B, T, info.width];
  const embed = reshape(input.tensor, shape);
  const outputs = perLayer.map(({ tensor }) => tensor);
  const plus = (stream: Tensor, x: () => Tensor): Tensor => (ablation === 'zero' ? stream : add(step, stream, x()));
  const beforeHeads: Tensor[] = [];
  const beforeMlp: Tensor[] = [];
  let stream = plus(model.positions(step, lengths, T), () => embed);
  for (const [layer, own] of outputs.entries()) {
    beforeHeads.push(stream);
    const after = plus(add(step, stream, model.attentionBias(layer)), () =>
      sum(step, slice(step, own, 0, 0, info.heads), { axes: 0 }),
    );
    beforeMlp.push(info.block === 'sequential' ? after : stream);
    stream = plus(after, () => reshape(slice(step, own, 0, info.heads, 1), shape));
  }
  return { embed, beforeHeads, beforeMlp, last: stream, outputs };
}

/** Collects losses of batches into metric values. */
export class MetricSum {
  readonly #names: readonly string[];
  readonly #values: readonly Float64Array[];

  constructor(metrics: readonly Metric[], examples: number) {
    this.#names = metrics.map(({ name }) => name);
    this.#values = metrics.map(() => new Float64Array(examples));
  }

  /** `losses` per metric, of the examples at `places`. */
  add(losses: readonly Float32Array[], places: readonly number[]): void {
    for (const [m, loss] of losses.entries())
      for (const [b, x] of loss.entries()) (this.#values[m] as Float64Array)[places[b] as number] = -x;
  }

  values(): MetricValues {
    const entries = this.#names.map((name, m) => [name, this.#values[m] as Float64Array] as const);
    return {
      mean: Object.fromEntries(
        entries.map(([name, values]) => [name, values.reduce((a, b) => a + b, 0) / values.length]),
      ),
      perExample: Object.fromEntries(entries),
    };
  }
}
