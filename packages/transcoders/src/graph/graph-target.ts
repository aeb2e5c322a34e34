// What edges lead to: features, logits, differences of logits and directions, as vectors that read the residual stream at one place.
import { LimnError, type Step } from '@limn/gpu';
import {
  add,
  concat,
  dot,
  fromData,
  gatherLogits,
  gatherRows,
  matmul,
  mean,
  mul,
  permute,
  reshape,
  scale,
  sum,
  type Tensor,
} from '@limn/tensor';
import type { HookedModel } from '@limn/hooks';
import type { FrozenFeatures, FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import type { BiasKind } from './graph-node.js';
import { mlpInput, type StreamPlace } from './stream-place.js';
import { throughNorm } from './through-norm.js';

/** The pre-activation h of a feature, whether it fires or not. */
export interface FeatureTarget {
  readonly kind: 'feature';
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
}

/** Σ up − Σ down of logits; with `demeaned` each less the mean of all logits, as one logit is. */
export interface LogitTarget {
  readonly kind: 'logits';
  readonly position: number;
  readonly up: readonly number[];
  readonly down: readonly number[];
  readonly demeaned: boolean;
}

/** v·x for a direction v [C] of the residual stream x at a place. */
export interface DirectionTarget {
  readonly kind: 'direction';
  readonly place: StreamPlace;
  readonly position: number;
  readonly vector: Float32Array;
}

/** One channel of a head's query or key at a position, W[:, channel]·(C(x)∘γ/s + β) + b, before any rotation. */
export interface SlotTarget {
  readonly kind: 'slot';
  readonly slot: 'q' | 'k';
  readonly layer: number;
  readonly head: number;
  readonly position: number;
  readonly channel: number;
}

/** One thing that edges lead to. */
export type GraphTarget = FeatureTarget | LogitTarget | DirectionTarget | SlotTarget;

/** Targets that start at one place, on the tape of a step. */
export interface Seeds {
  readonly from: StreamPlace;
  /** [B, C]: what each reads of the stream. */
  readonly vectors: Tensor;
  /** [B]: the targets' values, as the model has them. */
  readonly values: Tensor;
  /** Constants that a target adds itself, [B] each. */
  readonly own: readonly { readonly bias: BiasKind; readonly layer?: number; readonly values: Tensor }[];
}

/** Where a target reads the stream. */
export function placeOf(target: GraphTarget, { model, layers }: FrozenPrompt): StreamPlace {
  if (target.kind === 'feature') return mlpInput(model.info, target.layer);
  if (target.kind === 'slot') return { layer: target.layer, at: 'pre' };
  return target.kind === 'logits' ? { layer: layers.length - 1, at: 'post' } : target.place;
}

/**
 * @throws LimnError `usage/graph-target` for a target that is not there
 */
export function checkTarget(target: GraphTarget, prompt: FrozenPrompt): void {
  const { info } = prompt.model;
  const refuse = (problem: string): LimnError =>
    new LimnError('usage/graph-target', `A target of the attribution graph ${problem}.`, {
      details: { kind: target.kind },
    });
  const within = (what: string, value: number, count: number): void => {
    if (!Number.isInteger(value) || value < 0 || value >= count)
      throw refuse(`has ${what} ${value}; allowed are whole numbers from 0 to ${count - 1}`);
  };
  within('position', target.position, prompt.length);
  if (target.kind === 'feature') {
    within('layer', target.layer, info.layers);
    const encoder = prompt.layers[target.layer]?.features?.encoder;
    if (!encoder) throw refuse(`is a feature of layer ${target.layer}, which has no dictionary here`);
    within('feature', target.feature, encoder.config.features);
  } else if (target.kind === 'logits') {
    if (target.up.length + target.down.length === 0) throw refuse('names no token');
    for (const token of [...target.up, ...target.down]) within('token', token, info.vocabulary);
  } else if (target.kind === 'slot') {
    within('layer', target.layer, info.layers);
    within('head', target.head, info.heads);
    within('channel', target.channel, info.headWidth);
  } else {
    prompt.stream(target.place);
    if (target.vector.length !== info.width)
      throw refuse(`is a direction of ${target.vector.length} numbers; the stream is ${info.width} wide`);
  }
}

/** Targets of one kind that read the stream at one place. */
export function recordSeeds(step: Step, prompt: FrozenPrompt, targets: readonly GraphTarget[]): Seeds {
  const [first] = targets as readonly [GraphTarget, ...GraphTarget[]];
  const from = placeOf(first, prompt);
  if (first.kind === 'feature')
    return { from, ...featureSeeds(step, prompt, first.layer, targets as readonly FeatureTarget[]) };
  if (first.kind === 'logits') return { from, ...logitSeeds(step, prompt, targets as readonly LogitTarget[]) };
  if (first.kind === 'slot') return { from, ...slotSeeds(step, prompt, first, targets as readonly SlotTarget[]) };
  const directions = targets as readonly DirectionTarget[];
  const [B, C] = [directions.length, prompt.model.info.width];
  const data = new Float32Array(B * C);
  for (const [b, { vector }] of directions.entries()) data.set(vector, b * C);
  const vectors = fromData(step, data, [B, C], { label: 'directions' });
  return {
    from,
    vectors,
    values: dot(step, vectors, atPositions(step, prompt.stream(from), targets), { axes: 1 }),
    own: [],
  };
}

/** h = W_enc[f]·x + b_enc[f] with x = C(resid)∘γ/s + β, or x = resid. */
function featureSeeds(
  step: Step,
  prompt: FrozenPrompt,
  layer: number,
  targets: readonly FeatureTarget[],
): Omit<Seeds, 'from'> {
  const { features, ln2 } = prompt.layers[layer] as FrozenLayer;
  const { encoder, x } = features as FrozenFeatures;
  const B = targets.length;
  const ids = fromData(
    step,
    Uint32Array.from(targets, ({ feature }) => feature),
    [B],
    { label: 'features' },
  );
  const rows = gatherRows(step, encoder.tensor('wEnc'), ids);
  const bEnc = encoder.tensor('bEnc');
  const own = reshape(gatherRows(step, reshape(bEnc, [bEnc.size, 1]), ids), [B]);
  const read = dot(step, rows, atPositions(step, x, targets), { axes: 1 });
  const normalised = encoder.config.input === 'ln2.hook_normalized';
  const { beta } = ln2.weights;
  return {
    vectors: normalised ? throughNorm(step, ln2.weights, rows, scalesAt(step, ln2.scale, targets)) : rows,
    values: add(step, read, own),
    own: [
      { bias: 'b_enc', layer, values: own },
      ...(normalised && beta ? [{ bias: 'ln2.beta', layer, values: timesVector(step, rows, beta) } as const] : []),
    ],
  };
}

/** Channels of one head's query or key. */
function slotSeeds(
  step: Step,
  prompt: FrozenPrompt,
  { layer, head, slot }: SlotTarget,
  targets: readonly SlotTarget[],
): Omit<Seeds, 'from'> {
  const { ln1 } = prompt.layers[layer] as FrozenLayer;
  const weights = prompt.model.headWeights(step, layer, head);
  const [w, b] = slot === 'q' ? [weights.wQ, weights.bQ] : [weights.wK, weights.bK];
  const channels = fromData(
    step,
    Uint32Array.from(targets, ({ channel }) => channel),
    [targets.length],
  );
  const rows = gatherRows(step, permute(step, w, [1, 0]), channels);
  const own = reshape(gatherRows(step, reshape(b, [b.size, 1]), channels), [targets.length]);
  const vectors = throughNorm(step, ln1.weights, rows, scalesAt(step, ln1.scale, targets));
  const stream = atPositions(step, prompt.stream({ layer, at: 'pre' }), targets);
  const { beta } = ln1.weights;
  const constant = beta ? add(step, own, timesVector(step, rows, beta)) : own;
  return {
    vectors,
    values: add(step, dot(step, vectors, stream, { axes: 1 }), constant),
    own: [
      { bias: slot === 'q' ? 'b_Q' : 'b_K', layer, values: own },
      ...(beta ? [{ bias: 'ln1.beta', layer, values: timesVector(step, rows, beta) } as const] : []),
    ],
  };
}

/** Σ ±(logit − mean logit) = u·(C(resid)∘γ/s + β) + b with u a sum of rows of W_U, and b one of b_U. */
function logitSeeds(step: Step, prompt: FrozenPrompt, targets: readonly LogitTarget[]): Omit<Seeds, 'from'> {
  const { model, final } = prompt;
  const { width: C, vocabulary: V } = model.info;
  const B = targets.length;
  const lists = targets.map(({ up, down }) => [
    ...up.map((id) => ({ id, sign: 1 })),
    ...down.map((id) => ({ id, sign: -1 })),
  ]);
  const A = Math.max(...lists.map((list) => list.length));
  // Shorter lists go on with weight 0.
  const entries = lists.flatMap((list) => Array.from({ length: A }, (_, i) => list[i] ?? { id: 0, sign: 0 }));
  const signs = fromData(
    step,
    entries.map(({ sign }) => sign),
    [B, A],
    { label: 'signs' },
  );
  const means = fromData(
    step,
    targets.map(({ demeaned, up, down }) => (demeaned ? down.length - up.length : 0)),
    [B, 1],
  );
  const demeaned = targets.some((target) => target.demeaned && target.up.length !== target.down.length);
  const ids = entries.map(({ id }) => id);
  /** Σ ±row − (Σ ±1)·mean of the rows of a table, [B, n]. */
  const combined = (rows: Tensor, meanRow: () => Tensor): Tensor => {
    const n = rows.size / (B * A);
    const summed = reshape(matmul(step, reshape(signs, [B, 1, A]), reshape(rows, [B, A, n])), [B, n]);
    return demeaned ? matmul(step, means, reshape(meanRow(), [1, n]), { residual: summed }) : summed;
  };
  const u = combined(model.unembedRows(step, ids), () => meanUnembedding(step, model));
  const { beta } = final.weights;
  const bias = model.unembedBias;
  const biasOf = (b: Tensor): Tensor =>
    combined(gatherRows(step, reshape(b, [V, 1]), fromData(step, Uint32Array.from(ids), [B * A])), () => mean(step, b));
  const places = Array.from(targets, ({ position }) => position);
  const logits = model.logits(
    step,
    reshape(prompt.stream(placeOf(targets[0] as LogitTarget, prompt)), [1, prompt.length, C]),
    places,
  );
  const chosen = gatherLogits(step, logits, fromData(step, Uint32Array.from(ids), [B, A]), signs);
  const centre = mul(step, mean(step, logits, { axes: 1 }), reshape(means, [B]));
  return {
    vectors: throughNorm(step, final.weights, u, scalesAt(step, final.scale, targets)),
    values: demeaned ? add(step, chosen, centre) : chosen,
    own: [
      ...(beta ? [{ bias: 'ln_final.beta', values: timesVector(step, u, beta) } as const] : []),
      ...(bias ? [{ bias: 'b_U', values: reshape(biasOf(bias), [B]) } as const] : []),
    ],
  };
}

/** Rows of the unembedding taken at once: 12 MiB at GPT-2's width. */
const ROWS_AT_ONCE = 4096;

/** The mean row of W_U, [1, C]. */
export function meanUnembedding(step: Step, model: HookedModel): Tensor {
  const { vocabulary: V, width: C } = model.info;
  const parts = Array.from({ length: Math.ceil(V / ROWS_AT_ONCE) }, (_, part) => {
    const start = part * ROWS_AT_ONCE;
    const ids = Array.from({ length: Math.min(ROWS_AT_ONCE, V - start) }, (_, i) => start + i);
    return reshape(sum(step, model.unembedRows(step, ids), { axes: 0 }), [1, C]);
  });
  const all = parts.length === 1 ? (parts[0] as Tensor) : concat(step, parts, 0);
  return reshape(scale(step, sum(step, all, { axes: 0 }), 1 / V), [1, C]);
}

/** Rows of x [T, n] at the targets' positions, [B, n]. */
function atPositions(step: Step, x: Tensor, targets: readonly GraphTarget[]): Tensor {
  return gatherRows(
    step,
    x,
    fromData(
      step,
      Uint32Array.from(targets, ({ position }) => position),
      [targets.length],
    ),
  );
}

/** s [T, 1, 1] at the targets' positions, [B, 1]. */
function scalesAt(step: Step, scales: Tensor, targets: readonly GraphTarget[]): Tensor {
  return atPositions(step, reshape(scales, [scales.size, 1]), targets);
}

/** x·v for x [B, n] and v [n], [B]. */
function timesVector(step: Step, x: Tensor, v: Tensor): Tensor {
  return reshape(matmul(step, x, reshape(v, [1, v.size]), { transposeB: true }), [x.shape[0] as number]);
}
