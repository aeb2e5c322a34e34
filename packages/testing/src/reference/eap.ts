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

export * from './eap-gpt2.js';
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

/** What stands in for every node's output, [T, D] by forward index: the corrupted run's, nothing, or means [D] or [T, D]. */
export type EapAblation = 'patch' | 'zero' | readonly Float64Array[];

/** What the ablation has at every node of one pair, [T, D]. */
export function ablatedOutputs(model: EapModel, pair: EapPair, ablation: EapAblation): Float64Array[] {
  const { clean, corrupted } = eapRecord(model, pair);
  if (ablation === 'patch') return [...corrupted.outputs];
  return clean.outputs.map((z, u) =>
    z.map((_, i) =>
      ablation === 'zero' ? 0 : ((ablation[u] as Float64Array)[i % (ablation[u]?.length ?? 1)] as number),
    ),
  );
}

/** Mean outputs over prompts: [D] over positions and then prompts, or [T, D] with `positional`. */
export function eapMeans(
  model: EapModel,
  prompts: readonly (readonly number[])[],
  positional: boolean,
): Float64Array[] {
  const { width } = model.sizes;
  const total: Float64Array[] = [];
  for (const prompt of prompts) {
    const run = eapForward(model, tokenEmbeddings(model, prompt));
    for (const [u, z] of run.outputs.entries()) {
      const mean = (total[u] ??= new Float64Array(positional ? z.length : width));
      for (const [i, x] of z.entries()) {
        const at = positional ? i : i % width;
        mean[at] = (mean[at] as number) + x / prompts.length / (positional ? 1 : run.T);
      }
    }
  }
  return total;
}

/** Scores by plain gradients at the clean input and Δ of an ablation. */
export function eapAblationScores(
  model: EapModel,
  pairs: readonly EapPair[],
  metric: EapMetric,
  ablation: EapAblation,
): Float64Array {
  return meanOver(model, pairs, (pair) => {
    const { clean } = eapRecord(model, pair);
    const deltas = ablatedOutputs(model, pair, ablation).map((z, u) => sub(z, clean.outputs[u] as Float64Array));
    const gradients = eapPathGradients(model, pair, metric, eapPath(1, 'right'));
    return (u, v) => dot(deltas[u] as Float64Array, gradients[v] as Float64Array);
  });
}

/** EAP-IG over activations: Δ_u · Σ_k w_k g_v with the sublayer of u at z + (1 − α_k) Δ for all that reads it. */
export function eapActivationScores(
  model: EapModel,
  pairs: readonly EapPair[],
  metric: EapMetric,
  points: readonly { readonly alpha: number; readonly weight: number }[],
  ablation: EapAblation,
): Float64Array {
  const { layers, heads } = model.sizes;
  const sublayers = [
    [0],
    ...Array.from({ length: layers }, (_, l) => [
      Array.from({ length: heads }, (_, h) => 1 + l * (heads + 1) + h),
      [1 + l * (heads + 1) + heads],
    ]).flat(),
  ];
  return meanOver(model, pairs, (pair) => {
    const { clean } = eapRecord(model, pair);
    const deltas = ablatedOutputs(model, pair, ablation).map((z, u) => sub(z, clean.outputs[u] as Float64Array));
    const bySource = new Map<number, Float64Array[]>();
    for (const sources of sublayers) {
      const together = sources.map((u) => deltas[u] as Float64Array).reduce(sum);
      let total: Float64Array[] | undefined;
      for (const { alpha, weight } of points) {
        const run = eapForward(model, tokenEmbeddings(model, pair.clean), (v, x) =>
          sourcesBefore(model, v) > (sources.at(-1) as number)
            ? x.map((y, i) => y + (1 - alpha) * (together[i] as number))
            : x,
        );
        const { dLogits } = eapLoss(metric, pair, run.logits, clean.logits);
        const gradients = eapSlotGradients(
          model,
          run,
          dLogits.map((d) => d * weight),
        );
        total = total ? total.map((g, v) => sum(g, gradients[v] as Float64Array)) : gradients;
      }
      for (const u of sources) bySource.set(u, total ?? []);
    }
    return (u, v) => dot(deltas[u] as Float64Array, bySource.get(u)?.[v] as Float64Array);
  });
}

/** Information-flow routes: max(0, ‖x‖₁ − ‖x − z_u‖₁) over its sum over the slot's sources, mean over positions. */
export function informationFlowScores(model: EapModel, pairs: readonly EapPair[]): Float64Array {
  const { width } = model.sizes;
  return meanOver(model, pairs, ({ clean: prompt }) => {
    const run = eapForward(model, tokenEmbeddings(model, prompt));
    const proximity = (u: number, v: number, t: number): number => {
      let gain = 0;
      for (let i = t * width; i < (t + 1) * width; i++) {
        const x = run.slots[v]?.[i] as number;
        gain += Math.abs(x) - Math.abs(x - (run.outputs[u]?.[i] as number));
      }
      return Math.max(0, gain);
    };
    return (u, v) => {
      let share = 0;
      for (let t = 0; t < run.T; t++) {
        let all = 0;
        for (let w = 0; w < sourcesBefore(model, v); w++) all += proximity(w, v, t);
        share += all === 0 ? 0 : proximity(u, v, t) / all / run.T;
      }
      return share;
    };
  });
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
export function exactScores(
  model: EapModel,
  pairs: readonly EapPair[],
  metric: EapMetric,
  ablation: EapAblation = 'patch',
): Float64Array {
  return meanOver(model, pairs, (pair) => {
    const { clean } = eapRecord(model, pair);
    const deltas = ablatedOutputs(model, pair, ablation).map((z, u) => sub(z, clean.outputs[u] as Float64Array));
    const base = eapLoss(metric, pair, clean.logits, clean.logits).loss;
    return (u, v) => {
      const run = eapForward(model, tokenEmbeddings(model, pair.clean), (slot, x) =>
        slot === v ? sum(x, deltas[u] as Float64Array) : x,
      );
      return eapLoss(metric, pair, run.logits, clean.logits).loss - base;
    };
  });
}

/** Does a circuit keep neuron i, a dimension of the stream, of what edge u → v carries? */
export type EapKeeps = (u: number, v: number, i: number) => boolean;

/** Logits [V] of a circuit by the dense definition: x_v ← x_v + Σ_{(u,v) ∉ C} (z'_u − ẑ_u), on the clean input, neuron by neuron. */
export function circuitLogits(
  model: EapModel,
  pair: EapPair,
  keeps: EapKeeps,
  ablation: EapAblation = 'patch',
): Float64Array {
  const ablated = ablatedOutputs(model, pair, ablation);
  const { width } = model.sizes;
  return eapForward(model, tokenEmbeddings(model, pair.clean), (v, x, outputs) => {
    const y = x.slice();
    for (let u = 0; u < sourcesBefore(model, v); u++) {
      const [there, here] = [ablated[u] as Float64Array, outputs[u] as Float64Array];
      for (let neuron = 0; neuron < width; neuron++)
        if (!keeps(u, v, neuron))
          for (let i = neuron; i < y.length; i += width)
            y[i] = (y[i] as number) + (there[i] as number) - (here[i] as number);
    }
    return y;
  }).logits;
}

/** Mean metric (the negated loss) of a circuit over the pairs. */
export function circuitMetric(
  model: EapModel,
  pairs: readonly EapPair[],
  metric: EapMetric,
  keeps: EapKeeps,
  ablation: EapAblation = 'patch',
): number {
  const values = pairs.map((pair) => {
    const clean = eapForward(model, tokenEmbeddings(model, pair.clean)).logits;
    return -eapLoss(metric, pair, circuitLogits(model, pair, keeps, ablation), clean).loss;
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

function sub(a: Float64Array, b: Float64Array): Float64Array {
  return a.map((x, i) => x - (b[i] as number));
}

function dot(a: Float64Array, b: Float64Array): number {
  return a.reduce((total, x, i) => total + x * (b[i] as number), 0);
}
