// Why a head looks where it looks: its score q·M·k is bilinear in the sources of both positions, so that it is a sum over their pairs.
import { LimnError, type Step } from '@limn/gpu';
import { blockHook, intervene, type RunControls } from '@limn/hooks';
import { add, expand, fromData, gradients, mul, readFloats, reshape, type Tensor } from '@limn/tensor';
import { edgesInto } from './edges-into.js';
import { ACCOUNTING_TOLERANCE } from './accounting-tolerance.js';
import type { FrozenPrompt } from './frozen-prompt.js';
import type { GraphNode } from './graph-node.js';
import { graphSources } from './graph-sources.js';
import type { SkipTreatment } from './source-columns.js';
import type { SlotTarget } from './graph-target.js';

/** One entry of a head's scores. */
export interface ScorePlace {
  readonly layer: number;
  readonly head: number;
  readonly query: number;
  readonly key: number;
}

/** A score as a sum over pairs of sources. */
export interface ScoreAttribution {
  readonly nodes: readonly GraphNode[];
  /** The head's score before the softmax, as the model computes it. */
  readonly score: number;
  /** The scores of the same query for all keys up to it, [query + 1]: their softmax is where the head looks. */
  readonly scores: Float32Array;
  /** q of every source [sources, K]: what it brings to the head's query. Σ is the query. */
  readonly query: Float32Array;
  /** M·k of every source [sources, K]: what it brings to the head's key, seen by a query. */
  readonly key: Float32Array;
  readonly headWidth: number;
  /** Σ of all terms − score. */
  readonly residual: number;
}

/** One pair of sources, by their places among the nodes. */
export interface ScoreTerm {
  readonly query: number;
  readonly key: number;
  readonly value: number;
}

/**
 * Splits one score of one head. Scales and the patterns of the layers below are held; rotations of queries and keys, and what scores are
 * divided by, are part of M, which is measured: it is the gradient of the score in q as k runs through the unit vectors.
 * @throws LimnError `data/graph-residual` when the terms do not sum to the score; `usage/graph-target`, `usage/graph-key`, `gpu/…`, and as
 * `buildGraph`; AbortedError
 */
export async function attributeScore(
  prompt: FrozenPrompt,
  { layer, head, query, key }: ScorePlace,
  options: RunControls & { readonly skips?: SkipTreatment; readonly tolerance?: number } = {},
): Promise<ScoreAttribution> {
  if (key > query)
    throw new LimnError(
      'usage/graph-key',
      `Position ${query} does not look at position ${key}, which comes after it.`,
      {
        details: { query, key },
      },
    );
  const { tolerance = ACCOUNTING_TOLERANCE, skips = 'through', signal } = options;
  const K = prompt.model.info.headWidth;
  const targets = (slot: 'q' | 'k', position: number): SlotTarget[] =>
    Array.from({ length: K }, (_, channel) => ({ kind: 'slot', slot, layer, head, position, channel }));
  const sources = await graphSources(prompt, { skips, slotBiases: true, signal });
  try {
    const { weights } = await edgesInto(prompt, sources, [...targets('q', query), ...targets('k', key)], options);
    const { form, score, scores } = await bilinearForm(prompt, { layer, head, query, key });
    const S = sources.nodes.length;
    const queries = new Float32Array(S * K);
    const keys = new Float32Array(S * K);
    for (let s = 0; s < S; s++)
      for (let a = 0; a < K; a++) {
        queries[s * K + a] = weights[a * S + s] as number;
        let seen = 0;
        for (let b = 0; b < K; b++) seen += (form[b * K + a] as number) * (weights[(K + b) * S + s] as number);
        keys[s * K + a] = seen;
      }
    const residual = sumOfTerms(queries, keys, K) - score;
    const largest = Math.max(Math.abs(score), largestTerm(queries, keys, K));
    if (Math.abs(residual) > tolerance * largest)
      throw new LimnError(
        'data/graph-residual',
        `The terms of the score of head ${head} in layer ${layer} sum to ${score + residual}, but it is ${score}.`,
        { details: { layer, head, query, key, score, residual, tolerance } },
      );
    return { nodes: sources.nodes, score, scores, query: queries, key: keys, headWidth: K, residual };
  } finally {
    sources.dispose();
  }
}

/** The term of a source of the query and a source of the key. */
export function scoreTerm({ query, key, headWidth: K }: ScoreAttribution, ofQuery: number, ofKey: number): number {
  let sum = 0;
  for (let a = 0; a < K; a++) sum += (query[ofQuery * K + a] as number) * (key[ofKey * K + a] as number);
  return sum;
}

/**
 * The largest terms by size. What belongs to the query alone is the same for all keys and does not change where the head looks: give
 * another score of the same query to compare with.
 */
export function strongestTerms(attribution: ScoreAttribution, count = 20): ScoreTerm[] {
  const { nodes } = attribution;
  let terms: ScoreTerm[] = [];
  for (const query of nodes.keys()) {
    for (const key of nodes.keys()) {
      const value = scoreTerm(attribution, query, key);
      if (value !== 0) terms.push({ query, key, value });
    }
    // A row at a time, so that never more than one row and the best so far are held.
    terms = terms.sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, count);
  }
  return terms;
}

function sumOfTerms(queries: Float32Array, keys: Float32Array, K: number): number {
  const total = (values: Float32Array, a: number): number => {
    let sum = 0;
    for (let i = a; i < values.length; i += K) sum += values[i] as number;
    return sum;
  };
  return Array.from({ length: K }, (_, a) => total(queries, a) * total(keys, a)).reduce((sum, value) => sum + value, 0);
}

/** An upper bound of the largest term: of the products of norms. */
function largestTerm(queries: Float32Array, keys: Float32Array, K: number): number {
  const norm = (values: Float32Array): number => {
    let largest = 0;
    for (let i = 0; i < values.length; i += K) largest = Math.max(largest, Math.hypot(...values.subarray(i, i + K)));
    return largest;
  };
  return norm(queries) * norm(keys);
}

/** M [k, q] with score = Σ q_a·M[b, a]·k_b, and the query's scores: one layer of one run with a row per unit vector of the key, and one row as it is. */
async function bilinearForm(
  prompt: FrozenPrompt,
  { layer, head, query, key }: ScorePlace,
): Promise<{ readonly form: Float32Array; readonly score: number; readonly scores: Float32Array }> {
  const { model, length: T } = prompt;
  const { heads: H, headWidth: K, width: C } = model.info;
  const rows = K + 1;
  const at = (row: number): number => ((row * T + key) * H + head) * K;
  const kept = new Float32Array(rows * T * H * K).fill(1);
  const unit = new Float32Array(rows * T * H * K);
  for (let b = 0; b < K; b++) {
    kept.fill(0, at(b), at(b) + K);
    unit[at(b) + b] = 1;
  }
  const [q, scores] = (['attn.hook_q', 'attn.hook_attn_scores'] as const).map((site) => blockHook(layer, site)) as [
    `blocks.${number}.attn.hook_q`,
    `blocks.${number}.attn.hook_attn_scores`,
  ];
  const units = intervene(blockHook(layer, 'attn.hook_k'), 'unit keys', (k, { step }) => {
    const data = (values: Float32Array): Tensor => fromData(step, values, k.shape);
    return add(step, mul(step, k, data(kept)), data(unit));
  });
  const step: Step = model.gpu.step({ label: 'attribution graph: a score' });
  try {
    const stream = reshape(prompt.stream({ layer, at: 'pre' }), [1, T, C]);
    const run = model.run(
      step,
      { resid: expand(step, stream, [rows, T, C]), layer, at: 'pre', lengths: Array.from({ length: rows }, () => T) },
      { stopAtLayer: layer + 1, interventions: [units], capture: [q, scores] },
    );
    const chosen = run.at(scores);
    const seed = new Float32Array(chosen.size);
    for (let row = 0; row < rows; row++) seed[((row * H + head) * T + query) * T + key] = 1;
    const [gradient] = gradients(step, chosen, fromData(step, seed, chosen.shape), [run.at(q)]) as [Tensor];
    const [all, values] = await Promise.all([readFloats(step, gradient), readFloats(step, chosen)]);
    const form = new Float32Array(K * K);
    for (let b = 0; b < K; b++) {
      const from = ((b * T + query) * H + head) * K;
      form.set(all.subarray(from, from + K), b * K);
    }
    const own = ((K * H + head) * T + query) * T;
    const found = values.slice(own, own + query + 1);
    return { form, score: found[key] as number, scores: found };
  } finally {
    step.dispose();
  }
}
