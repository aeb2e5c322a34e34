// Where heads look under steering and where they look without it: A(β) − A(0) of every query and source.
import { blockHook, inBatches, settleControls, tokenBatch, type HookedModel, type RunControls } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import type { Steerer } from '../steerer.js';
import { expectLayers } from './attention-split.js';

/** One layer of one example. */
export interface AttentionShift {
  readonly example: number;
  readonly layer: number;
  /** Tokens n of the example. */
  readonly tokens: number;
  /** A(0), [heads, n, n]: query, then source; the sum over the sources of a query is 1. */
  readonly before: readonly number[];
  /** A(β) − A(0), shaped alike; the sum over the sources of a query is 0. */
  readonly change: readonly number[];
  /** Per head: ½ Σ_j |A_ij(β) − A_ij(0)| of the last query, the share of its attention that went elsewhere, and the mean over all queries. */
  readonly movedAtLast: readonly number[];
  readonly movedMean: readonly number[];
}

/** What `attentionShift` takes. */
export interface AttentionShiftOptions extends RunControls {
  readonly layers: readonly number[];
  /** β. Default 1. */
  readonly strength?: number | undefined;
}

/**
 * Attention of chosen layers with and without steering, both in one batch. Scaling what layer l writes changes what later layers ask and
 * offer, so their attention moves though nothing edits it.
 * @throws LimnError `usage/steering-layer`, `data/steering-…`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function attentionShift(
  model: HookedModel,
  examples: readonly SteeringExample[],
  steerer: Pick<Steerer, 'name' | 'interventions'>,
  { layers, strength = 1, ...controls }: AttentionShiftOptions,
): Promise<AttentionShift[]> {
  checkExamples(examples, model.info);
  expectLayers(model.info.layers, layers);
  const names = layers.map((layer) => blockHook(layer, 'attn.hook_pattern'));
  const shifts: AttentionShift[][] = [];
  await inBatches(
    model.gpu,
    [...examples.keys()],
    {
      what: `Measuring attention under ${steerer.name}`,
      unit: 'prompt',
      label: 'attention under steering',
      lengthOf: (n) => examples[n]?.prompt.length ?? 0,
      record: (step, batch) => {
        const rows = [strength, 0].flatMap((beta) =>
          batch.map((n) => ({ example: examples[n] as SteeringExample, strength: beta })),
        );
        const tokens = tokenBatch(
          rows.map(({ example }) => example.prompt),
          model.info,
        );
        const run = model.run(
          step,
          { tokens },
          {
            interventions: steerer.interventions(rows),
            capture: names,
            logits: 'none',
            stopAtLayer: model.info.layers,
          },
        );
        return { T: tokens.T, patterns: names.map((name) => run.at(name)) };
      },
      take: async (step, { T, patterns }, batch) => {
        const read = await Promise.all(patterns.map((pattern) => readFloats(step, pattern)));
        batch.forEach((example, b) => {
          const n = examples[example]?.prompt.length ?? 0;
          shifts[example] = layers.map((layer, l) => {
            const values = read[l] as Float32Array;
            const H = model.info.heads;
            const at = (row: number, head: number, i: number, j: number): number =>
              values[((row * H + head) * T + i) * T + j] as number;
            const everywhere = (of: (head: number, i: number, j: number) => number): number[] =>
              Array.from({ length: H * n * n }, (_, cell) =>
                of(Math.floor(cell / (n * n)), Math.floor(cell / n) % n, cell % n),
              );
            const before = everywhere((head, i, j) => at(b + batch.length, head, i, j));
            const change = everywhere((head, i, j) => at(b, head, i, j) - at(b + batch.length, head, i, j));
            return { example, layer, tokens: n, before, change, ...moved(change, H, n) };
          });
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return shifts.flat();
}

function moved(change: readonly number[], heads: number, n: number): Pick<AttentionShift, 'movedAtLast' | 'movedMean'> {
  const byHead = Array.from({ length: heads }, (_, head) =>
    Array.from({ length: n }, (_, i) => {
      const from = (head * n + i) * n;
      return change.slice(from, from + n).reduce((sum, value) => sum + Math.abs(value), 0) / 2;
    }),
  );
  return {
    movedAtLast: byHead.map((queries) => queries.at(-1) as number),
    movedMean: byHead.map((queries) => queries.reduce((sum, value) => sum + value, 0) / n),
  };
}
