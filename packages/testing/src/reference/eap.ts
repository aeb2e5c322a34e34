// Float64 reference of edge attribution: EAP, EAP-IG, clean-corrupted, exact patching and circuits on the plain model of eap-model.ts (arXiv 2403.17806).
import {
  backwardCount,
  eapForward,
  eapSlotGradients,
  forwardCount,
  sourcesBefore,
  sum,
  tokenEmbeddings,
} from './eap-model.js';
import type { EapModel, EapRun } from './eap-model.js';

export * from './eap-model.js';
export * from './eap-toy.js';

export interface EapPair {
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  readonly correct: readonly number[];
  readonly incorrect: readonly number[];
}

export type EapMetric = 'logit-diff' | 'prob-diff' | 'kl';
export type EapRule = 'left' | 'right' | 'midpoint' | 'trapezoid';

/** Points α and weights w of the path e' + α (e − e') from corrupted to clean embeddings. */
export function eapPath(steps: number, rule: EapRule): { alpha: number; weight: number }[] {
  if (rule === 'trapezoid')
    return Array.from({ length: steps + 1 }, (_, k) => ({
      alpha: k / steps,
      weight: (k === 0 || k === steps ? 0.5 : 1) / steps,
    }));
  const shift = { left: 0, midpoint: 0.5, right: 1 }[rule];
  return Array.from({ length: steps }, (_, k) => ({ alpha: (k + shift) / steps, weight: 1 / steps }));
}

/** Loss (the negated metric) and its gradient with respect to the logits; `clean` are the clean run's logits. */
export function eapLoss(
  metric: EapMetric,
  pair: EapPair,
  logits: Float64Array,
  clean: Float64Array,
): { loss: number; dLogits: Float64Array } {
  const dLogits = new Float64Array(logits.length);
  const { correct, incorrect } = pair;
  if (metric === 'logit-diff') {
    let loss = 0;
    for (const [ids, sign] of [
      [correct, -1],
      [incorrect, 1],
    ] as const)
      for (const id of ids) {
        loss += (sign * (logits[id] as number)) / ids.length;
        dLogits[id] = (dLogits[id] as number) + sign / ids.length;
      }
    return { loss, dLogits };
  }
  const p = softmax(logits);
  if (metric === 'kl') {
    const reference = softmax(clean);
    let loss = 0;
    for (const [i, r] of reference.entries()) {
      if (r > 0) loss += r * (Math.log(r) - Math.log(p[i] as number));
      dLogits[i] = (p[i] as number) - r;
    }
    return { loss, dLogits };
  }
  const weight = new Float64Array(logits.length);
  for (const id of correct) weight[id] = (weight[id] as number) - 1;
  for (const id of incorrect) weight[id] = (weight[id] as number) + 1;
  const loss = p.reduce((total, value, i) => total + value * (weight[i] as number), 0);
  for (const [i, value] of p.entries()) dLogits[i] = value * ((weight[i] as number) - loss);
  return { loss, dLogits };
}

function softmax(logits: Float64Array): Float64Array {
  const top = Math.max(...logits);
  const exp = logits.map((x) => Math.exp(x - top));
  const total = exp.reduce((a, b) => a + b, 0);
  return exp.map((x) => x / total);
}

/** Both runs of a pair, and Δ_u = corrupted − clean by forward index. */
export function eapRecord(
  model: EapModel,
  pair: EapPair,
): { clean: EapRun; corrupted: EapRun; deltas: Float64Array[] } {
  const clean = eapForward(model, tokenEmbeddings(model, pair.clean));
  const corrupted = eapForward(model, tokenEmbeddings(model, pair.corrupted));
  return {
    clean,
    corrupted,
    deltas: corrupted.outputs.map((z, u) => z.map((x, i) => x - (clean.outputs[u]?.[i] ?? 0))),
  };
}

/** Weighted sum over path points of the gradient at every slot. */
export function eapPathGradients(
  model: EapModel,
  pair: EapPair,
  metric: EapMetric,
  points: readonly { readonly alpha: number; readonly weight: number }[],
): Float64Array[] {
  const from = tokenEmbeddings(model, pair.corrupted);
  const to = tokenEmbeddings(model, pair.clean);
  const clean = eapForward(model, to).logits;
  let total: Float64Array[] | undefined;
  for (const { alpha, weight } of points) {
    const run = eapForward(
      model,
      from.map((x, i) => x + alpha * ((to[i] as number) - x)),
    );
    const { dLogits } = eapLoss(metric, pair, run.logits, clean);
    const gradients = eapSlotGradients(
      model,
      run,
      dLogits.map((d) => d * weight),
    );
    total = total ? total.map((g, v) => sum(g, gradients[v] as Float64Array)) : gradients;
  }
  return total ?? [];
}

/** score(u → v) = mean over pairs of Σ Δ_u · g_v, dense [nForward, nBackward], NaN where not an edge. */
export function eapScores(
  model: EapModel,
  pairs: readonly EapPair[],
  metric: EapMetric,
  points: readonly { readonly alpha: number; readonly weight: number }[],
): Float64Array {
  return meanOver(model, pairs, (pair) => {
    const { deltas } = eapRecord(model, pair);
    const gradients = eapPathGradients(model, pair, metric, points);
    return (u, v) => dot(deltas[u] as Float64Array, gradients[v] as Float64Array);
  });
}

/** score(u → v) = mean of loss(all edges clean except u → v) − loss(clean). */
export function exactScores(model: EapModel, pairs: readonly EapPair[], metric: EapMetric): Float64Array {
  return meanOver(model, pairs, (pair) => {
    const { clean, deltas } = eapRecord(model, pair);
    const base = eapLoss(metric, pair, clean.logits, clean.logits).loss;
    return (u, v) => {
      const run = eapForward(model, tokenEmbeddings(model, pair.clean), (slot, x) =>
        slot === v ? sum(x, deltas[u] as Float64Array) : x,
      );
      return eapLoss(metric, pair, run.logits, clean.logits).loss - base;
    };
  });
}

/** Logits [V] of a circuit by the dense definition: x_v ← x_v + Σ_{(u,v) ∉ C} (z'_u − ẑ_u), on the clean input. */
export function circuitLogits(model: EapModel, pair: EapPair, keeps: (u: number, v: number) => boolean): Float64Array {
  const { corrupted } = eapRecord(model, pair);
  return eapForward(model, tokenEmbeddings(model, pair.clean), (v, x, outputs) => {
    const y = x.slice();
    for (let u = 0; u < sourcesBefore(model, v); u++) {
      if (keeps(u, v)) continue;
      const [there, here] = [corrupted.outputs[u] as Float64Array, outputs[u] as Float64Array];
      for (let i = 0; i < y.length; i++) y[i] = (y[i] as number) + (there[i] as number) - (here[i] as number);
    }
    return y;
  }).logits;
}

/** Mean metric (the negated loss) of a circuit over the pairs. */
export function circuitMetric(
  model: EapModel,
  pairs: readonly EapPair[],
  metric: EapMetric,
  keeps: (u: number, v: number) => boolean,
): number {
  const values = pairs.map((pair) => {
    const clean = eapForward(model, tokenEmbeddings(model, pair.clean)).logits;
    return -eapLoss(metric, pair, circuitLogits(model, pair, keeps), clean).loss;
  });
  return values.reduce((a, b) => a + b, 0) / pairs.length;
}

function meanOver(
  model: EapModel,
  pairs: readonly EapPair[],
  scorer: (pair: EapPair) => (u: number, v: number) => number,
): Float64Array {
  const columns = backwardCount(model.sizes);
  const total = new Float64Array(forwardCount(model.sizes) * columns).fill(Number.NaN);
  for (const [n, pair] of pairs.entries()) {
    const score = scorer(pair);
    for (let v = 0; v < columns; v++)
      for (let u = 0; u < sourcesBefore(model, v); u++)
        total[u * columns + v] = (n === 0 ? 0 : (total[u * columns + v] as number)) + score(u, v) / pairs.length;
  }
  return total;
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((total, x, i) => total + x * (b[i] as number), 0);
}
