// What an attention cell gives Δ, split exactly: into heads and the output bias, and each head into the positions that it reads.
import { LimnError, type Step } from '@limn/gpu';
import {
  blockHook,
  inBatches,
  settleControls,
  tokenBatch,
  type HookedModel,
  type Intervention,
  type RunControls,
} from '@limn/hooks';
import { detach, gradients, readFloats, type Tensor } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { slotsOf, type PositionTable } from '../positions.js';
import type { Steerer, SteeredRow } from '../steerer.js';
import { answerDifference } from './answer-difference.js';
import { recordEdits, type RecordedEdit } from './edit-recorder.js';

/** A head's part of a cell. */
export interface HeadPart {
  readonly head: number;
  /** ⟨z_h W_O^h, g⟩ in logits. */
  readonly value: number;
  /** A_{h,ij} ⟨v_j W_O^h, g⟩ of every position j up to the cell's own; they sum to `value` unless something edits `attn.hook_z`. */
  readonly sources: readonly number[];
}

/** A cell of one example: ⟨a, g⟩ = Σ_h ⟨z_h W_O^h, g⟩ + ⟨b_O, g⟩, a what attention writes and g = ∂Δ/∂a. */
export interface AttentionCellSplit {
  readonly example: number;
  /** The token of the cell. */
  readonly token: number;
  /** ⟨a, g⟩: gradient times activation of the cell. */
  readonly total: number;
  readonly bias: number;
  readonly heads: readonly HeadPart[];
}

/** Which cell to split. */
export interface AttentionSplitOptions extends RunControls {
  readonly layer: number;
  /** A name of the table. */
  readonly position: string;
  readonly positions: PositionTable;
  /** Split it in the steered run. Default: in the untouched one. */
  readonly steerer?: Pick<Steerer, 'interventions'> | undefined;
  /** β. Default 1. */
  readonly strength?: number | undefined;
}

/** What the splits of a batch are computed from. */
interface Recorded {
  readonly T: number;
  /** Attention's output and ∂Δ/∂ it, [B, T, C]. */
  readonly a: Tensor;
  readonly g: Tensor;
  /** What W_O reads and ∂Δ/∂ it, and the same before an edit there, [B, T, H, K]. */
  readonly z: Tensor;
  readonly u: Tensor;
  readonly uBefore: Tensor;
  /** [B, T, H, K] and [B, H, T, T]. */
  readonly v: Tensor;
  readonly pattern: Tensor;
}

/**
 * Splits `hook_attn_out` of one layer at one position, before anything steers it, for every token of every example that stands there. g at
 * the cell and W_O^h g at each head come from one backward pass, so no weight is read; inner products are float64 sums over f32
 * activations and gradients, and the parts add up to the rounding of those.
 * @throws LimnError `usage/steering-layer`, `usage/steering-option` (a position that the table has not), `data/steering-…`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function splitAttentionCell(
  model: HookedModel,
  examples: readonly SteeringExample[],
  options: AttentionSplitOptions,
): Promise<AttentionCellSplit[]> {
  const { layer, position, positions, steerer, strength = 1, ...controls } = options;
  checkExamples(examples, model.info);
  expectLayers(model.info.layers, [layer]);
  const slot = positions.names.indexOf(position);
  if (slot < 0)
    throw new LimnError('usage/steering-option', `There is no position '${position}'.`, {
      details: { position, allowed: positions.names },
      hint: `Choose among ${positions.names.join(', ')}.`,
    });
  const slots = examples.map(({ prompt, roles }, i) => slotsOf(positions, { length: prompt.length, roles }, i));
  const splits: AttentionCellSplit[][] = [];
  await inBatches(
    model.gpu,
    [...examples.keys()],
    {
      what: 'Splitting attention',
      unit: 'prompt',
      label: 'attention split',
      lengthOf: (n) => examples[n]?.prompt.length ?? 0,
      record: (step, batch) => {
        const rows = batch.map((n) => ({ example: examples[n] as SteeringExample, strength }));
        return recordSplit(step, model, layer, rows, steerer?.interventions(rows) ?? []);
      },
      take: async (step, { T, ...tensors }, batch) => {
        const read = async (x: Tensor): Promise<Float32Array> => readFloats(step, x);
        const [a, g, z, u, uBefore, v, pattern, bias] = await Promise.all([
          read(tensors.a),
          read(tensors.g),
          read(tensors.z),
          read(tensors.u),
          read(tensors.uBefore),
          read(tensors.v),
          read(tensors.pattern),
          read(model.attentionBias(layer)),
        ]);
        const { heads: H, headWidth: K, width: C } = model.info;
        batch.forEach((example, b) => {
          const own: AttentionCellSplit[] = [];
          slots[example]?.forEach((cell, i) => {
            if (cell !== slot) return;
            const row = b * T + i;
            own.push({
              example,
              token: i,
              total: inner(a, row * C, g, row * C, C),
              bias: inner(bias, 0, g, row * C, C),
              heads: Array.from({ length: H }, (_, head): HeadPart => {
                const at = (row * H + head) * K;
                return {
                  head,
                  value: inner(z, at, u, at, K),
                  sources: Array.from(
                    { length: i + 1 },
                    (_, j) =>
                      (pattern[((b * H + head) * T + i) * T + j] as number) *
                      inner(v, ((b * T + j) * H + head) * K, uBefore, at, K),
                  ),
                };
              }),
            });
          });
          splits[example] = own;
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return splits.flat();
}

function recordSplit(
  step: Step,
  model: HookedModel,
  layer: number,
  rows: readonly SteeredRow[],
  interventions: readonly Intervention[],
): Recorded {
  const examples = rows.map(({ example }) => example);
  const tokens = tokenBatch(
    examples.map(({ prompt }) => prompt),
    model.info,
  );
  const [out, mix] = [blockHook(layer, 'hook_attn_out'), blockHook(layer, 'attn.hook_z')];
  const [values, looks] = [blockHook(layer, 'attn.hook_v'), blockHook(layer, 'attn.hook_pattern')];
  const recorder = recordEdits(interventions, [out, mix]);
  const run = model.run(
    step,
    { tokens },
    { interventions: recorder.interventions, capture: [values, looks], logits: 'last' },
  );
  const edits = recorder.edits();
  const written = edits.find(({ at }) => at === out) as RecordedEdit;
  const mixed = edits.find(({ at }) => at === mix) as RecordedEdit;
  const [g, u, uBefore] = gradients(step, answerDifference(step, run.logits, examples), 'ones', [
    written.before,
    mixed.after,
    mixed.before,
  ]) as [Tensor, Tensor, Tensor];
  return {
    T: tokens.T,
    a: detach(written.before),
    g,
    z: detach(mixed.after),
    u,
    uBefore,
    v: detach(run.at(values)),
    pattern: detach(run.at(looks)),
  };
}

function inner(a: Float32Array, i: number, b: Float32Array, j: number, n: number): number {
  let sum = 0;
  for (let k = 0; k < n; k++) sum += (a[i + k] as number) * (b[j + k] as number);
  return sum;
}

/** @throws LimnError `usage/steering-layer` */
export function expectLayers(count: number, layers: readonly number[]): void {
  const bad = layers.find((layer) => !Number.isInteger(layer) || layer < 0 || layer >= count);
  if (bad === undefined && layers.length > 0) return;
  throw new LimnError('usage/steering-layer', bad === undefined ? 'No layer was given.' : `There is no layer ${bad}.`, {
    details: { layers: count },
    hint: `Layers are 0 to ${count - 1}; give at least one.`,
  });
}
