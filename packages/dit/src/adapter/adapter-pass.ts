// The pass in three parts: y = x·W + b, + the frozen diff of the row, + the one adapter of all rows. Both see the x that all of them made.
import type { Step } from '@limn/gpu';
import { withTaskAdapters, type HookedModel, type Intervention, type LinearSite } from '@limn/hooks';
import { dot, fromData, gradients, type Tensor } from '@limn/tensor';
import { diffBatch, type DiffBatch } from '../diffs/diff-batch.js';
import { recordDiffLoss } from '../diffs/diff-loss.js';
import { stackedFactors, type DiffStack } from '../diffs/diff-stack.js';
import { catAdapters } from '../lora/cat-adapters.js';
import { placedFactors, type BaseOptions, type LoraWeights } from '../lora/lora-weights.js';
import { exampleRow, type DitExample } from './dit-example.js';

/** Diffs on the host, and the stack that a pass puts some of them in: of one form whichever those are. */
export interface FrozenDiffs {
  readonly loras: readonly LoraWeights[];
  /** Every map that one of them changes, in the model's order. */
  readonly linears: readonly LinearSite[];
  /** The highest of any map of any of them. */
  readonly rank: number;
}

/**
 * Diffs of a model, checked.
 * @throws LimnError `data/lora-base`, `data/lora-processed`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`
 */
export function frozenDiffs(
  model: Pick<HookedModel, 'info' | 'linears'>,
  loras: readonly LoraWeights[],
  options: BaseOptions = {},
): FrozenDiffs {
  const names = new Set<string>();
  let rank = 1;
  for (const lora of loras)
    for (const { linear, factors } of placedFactors(model, lora, options)) {
      names.add(linear.name);
      rank = Math.max(rank, factors.rank);
    }
  return { loras, linears: model.linears().filter(({ name }) => names.has(name)), rank };
}

/** Which diffs some rows need, each once, and which of them each row has; −1 for none. */
export function diffsOfRows(rows: readonly (number | null)[]): {
  readonly places: readonly number[];
  readonly taskOfRow: Int32Array;
} {
  const places = [...new Set(rows.flatMap((diff) => diff ?? []))];
  return { places, taskOfRow: Int32Array.from(rows, (diff) => (diff === null ? -1 : places.indexOf(diff))) };
}

/** Diffs as a stack of `room` places takes them: with scale 1, their own being multiplied into B. */
export function stackable(
  { loras }: FrozenDiffs,
  places: readonly number[],
  room: number,
): (LoraWeights | undefined)[] {
  return Array.from({ length: room }, (_, i) => {
    const lora = loras[places[i] ?? -1];
    return lora && catAdapters([{ lora }]);
  });
}

/** A pass over some examples, always of one shape. */
export interface DitBatch {
  readonly examples: readonly DitExample[];
  readonly batch: DiffBatch;
  /** Of every row what its mean over the answer counts, w·|answer| / Σ w·|answer|; 0 for rows that are spare. */
  readonly shares: Float32Array;
}

/** Rows, positions and answer tokens of a pass. */
export interface DitShape {
  readonly batch: number;
  readonly positions: number;
  readonly answers: number;
}

/** Examples as a batch: at most as many as it has rows, the rest of which are spare. */
export function ditBatch(examples: readonly DitExample[], { batch: rows, positions, answers }: DitShape): DitBatch {
  const counts = examples.map(({ answer, weight = 1 }) => weight * answer.length);
  const total = counts.reduce((sum, count) => sum + count, 0);
  // Every row is a task of its own: its answer has places of its own in any batch.
  const shape = { tasks: rows, rows: 1, positions, answers, taught: 0 };
  const about = { ids: [], round: 0 };
  return {
    examples,
    batch: diffBatch(
      examples.map((example) => [exampleRow(example)]),
      shape,
      about,
    ),
    shares: Float32Array.from({ length: rows }, (_, i) => (counts[i] ?? 0) / total),
  };
}

/** What the rows of a batch carry: frozen factors are data of the step, those of the adapter outlive it. */
export function ditInterventions(
  step: Step,
  { examples, batch }: DitBatch,
  diffs: FrozenDiffs,
  adapter: DiffStack,
): Intervention[] {
  const rows = batch.taskOfRow.length;
  const spare = Array.from({ length: rows - examples.length }, () => null);
  const { places, taskOfRow } = diffsOfRows([...examples.map(({ diff }) => diff), ...spare]);
  const loras = stackable(diffs, places, rows);
  const scales = loras.map(() => 1);
  const changes = diffs.linears.map((linear) => {
    const { a, b } = stackedFactors(linear, loras, diffs.rank);
    return {
      linear,
      a: fromData(step, a, [rows, diffs.rank, linear.inWidth], { label: `A of ${linear.name}` }),
      b: fromData(step, b, [rows, linear.outWidth, diffs.rank], { label: `B of ${linear.name}` }),
      scales,
    };
  });
  return [
    ...withTaskAdapters('the diffs', changes, { taskOfRow }),
    ...adapter.interventions({ taskOfRow: batch.taskOfRow.map((task) => Math.min(task, 0)) }),
  ];
}

/** Records the loss of a batch, f32 [1], Σ w · −log q(token) / Σ w over all answer tokens, and its slopes at the adapter's factors. */
export function recordDitSlopes(
  step: Step,
  model: HookedModel,
  batch: DitBatch,
  diffs: FrozenDiffs,
  adapter: DiffStack,
): { readonly loss: Tensor; readonly slopes: readonly (Tensor | undefined)[] } {
  const interventions = ditInterventions(step, batch, diffs, adapter);
  const means = recordDiffLoss(step, model, batch.batch, interventions, { teacher: new Float32Array(0), reverse: 0 });
  const loss = dot(step, means, fromData(step, batch.shares, [batch.shares.length], { label: 'shares' }));
  const parameters = adapter.parameters.map(({ tensor }) => tensor);
  return { loss, slopes: gradients(step, loss, 'ones', parameters) };
}
