// Completeness: for subsets K of a circuit C, the metric of C ∖ K against that of the whole model without K. Wang et al., arXiv 2211.00593 §4.
import type { HookedModel, RunControls } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import { evaluateDistinct } from './evaluate-distinct.js';
import type { KnownCircuits } from './evaluate-distinct.js';
import type { Ablation } from './ablation.js';
import { knockOutsOf, without } from './knock-out.js';
import type { KnockOut, KnockOutUnit } from './knock-out.js';
import type { Metric } from './metrics.js';
import { edgesOf, pruneRunnable } from './neuron-circuit.js';
import type { RunnableCircuit } from './neuron-circuit.js';
import type { Pair } from './pairs.js';
import { RandomDraws } from './random-draws.js';

/** Which subsets are knocked out. */
export interface CompletenessOptions extends RunControls {
  readonly metric: Metric;
  /** Default 'patch'. */
  readonly ablation?: Ablation | undefined;
  /** Subsets of edges, or of nodes with all their edges. Default 'edge'. */
  readonly unit?: KnockOutUnit | undefined;
  /** Random subsets: each draws its size evenly from 1 … |C|, then its members. Default 20. */
  readonly random?: number | undefined;
  /**
   * Greedy subsets: from nothing, `steps` times, the one of `candidates` random members that makes the gap largest.
   * Default 3 starts of 5 steps with 8 candidates.
   */
  readonly greedy?: { readonly starts: number; readonly steps: number; readonly candidates: number } | undefined;
  /** Default 0. */
  readonly seed?: number | undefined;
}

/** One subset K knocked out of both. */
export interface KnockedOut {
  readonly how: 'random' | 'greedy';
  /** Names of the parts in K, in the order in which they were drawn. */
  readonly parts: readonly string[];
  /** m(C ∖ K). */
  readonly circuit: number;
  /** m(full ∖ K). */
  readonly model: number;
  /** |m(C ∖ K) − m(full ∖ K)|. */
  readonly gap: number;
}

/** Pairs of values that lie on the line y = x when the circuit is complete. */
export interface Completeness {
  /** The pruned circuit that was tried. */
  readonly circuit: Circuit;
  /** Of a neuron circuit, the neurons that it keeps, [nForward × width]. */
  readonly neurons?: Uint8Array;
  readonly unit: KnockOutUnit;
  readonly seed: number;
  /** Metric of the clean run minus that of the empty circuit: what a gap is large or small against. */
  readonly range: number;
  /** |m(C) − m(full)|: K = ∅, what faithfulness measures. */
  readonly gapOfNothing: number;
  /** Random subsets first, then every step of every greedy search. */
  readonly subsets: readonly KnockedOut[];
  /** Over the random subsets, which are a fair sample; null when there are none. */
  readonly meanGap: number | null;
  /** Over all subsets; null when there are none. */
  readonly largestGap: number | null;
}

/**
 * Knocks out random subsets of the circuit, and subsets sought for a large gap: a faithful circuit that leaves out what
 * stands in for its parts is given away by the model doing without them. The neurons that a neuron circuit lacks stay in the model. Cost: 2 circuits per subset, and
 * 2 · starts · candidates per greedy step, of which one is nearly the whole model.
 * @throws LimnError `usage/knock-outs`, `tensor/random` (seed), and as `evaluateCircuits`; AbortedError
 */
export async function completeness(
  model: HookedModel,
  given: RunnableCircuit,
  pairs: readonly Pair[],
  options: CompletenessOptions,
): Promise<Completeness> {
  const { metric, unit = 'edge', random = 20, seed = 0 } = options;
  const { greedy = { starts: 3, steps: 5, candidates: 8 } } = options;
  for (const [name, count] of Object.entries({ random, ...greedy }))
    if (!Number.isInteger(count) || count < 0)
      throw new LimnError('usage/knock-outs', `${name} is a whole number of at least 0; given ${count}.`, {
        details: { name, count },
      });
  const own = pruneRunnable(given);
  const circuit = edgesOf(own);
  const full = Circuit.full(circuit.graph);
  const parts = knockOutsOf(circuit, unit);
  const known: KnownCircuits = new Map();
  const gaps = async (how: KnockedOut['how'], subsets: readonly (readonly KnockOut[])[]) => {
    const { clean, empty, circuits } = await evaluateDistinct(
      model,
      {
        count: 2 * subsets.length,
        circuitAt: (i) => without(i % 2 === 0 ? own : full, subsets[i >> 1] ?? []),
        known,
      },
      pairs,
      { ...options, metrics: [metric] },
    );
    const of = (i: number): number => circuits[i]?.mean[metric.name] ?? Number.NaN;
    return {
      range: (clean.mean[metric.name] ?? Number.NaN) - (empty.mean[metric.name] ?? Number.NaN),
      results: subsets.map((subset, i): KnockedOut => {
        const [ours, whole] = [of(2 * i), of(2 * i + 1)];
        const names = subset.map(({ name }) => name);
        return { how, parts: names, circuit: ours, model: whole, gap: Math.abs(ours - whole) };
      }),
    };
  };

  // One stream per search, so that the number of one kind changes nothing about the other.
  const draws = new RandomDraws(seed, 0);
  const drawn = Array.from({ length: parts.length === 0 ? 0 : random }, () =>
    draws.subset(parts, 1 + draws.below(parts.length)),
  );
  const { range, results } = await gaps('random', [[], ...drawn]);
  const [nothing, ...atRandom] = results as [KnockedOut, ...KnockedOut[]];
  const sought: KnockedOut[] = [];
  const searches = Array.from({ length: greedy.starts }, (_, i) => ({
    draws: new RandomDraws(seed, 1 + i),
    chosen: [] as KnockOut[],
  }));
  for (let step = 0; step < Math.min(greedy.steps, parts.length); step++) {
    const tried = searches.map((search) => {
      const left = parts.filter((part) => !search.chosen.includes(part));
      return search.draws.subset(left, greedy.candidates).map((part) => [...search.chosen, part]);
    });
    const { results: all } = await gaps('greedy', tried.flat());
    let start = 0;
    for (const [i, own] of tried.entries()) {
      const outcomes = all.slice(start, start + own.length);
      start += own.length;
      const best = outcomes.reduce((most, { gap }, j) => (gap > (outcomes[most]?.gap ?? 0) ? j : most), 0);
      const outcome = outcomes[best];
      if (outcome === undefined) continue;
      sought.push(outcome);
      (searches[i] as (typeof searches)[number]).chosen = own[best] ?? [];
    }
  }
  const subsets = [...atRandom, ...sought];
  return {
    circuit,
    ...(own instanceof Circuit ? {} : { neurons: own.neurons }),
    unit,
    seed,
    range,
    gapOfNothing: nothing.gap,
    subsets,
    meanGap: atRandom.length === 0 ? null : atRandom.reduce((sum, { gap }) => sum + gap, 0) / atRandom.length,
    largestGap: subsets.length === 0 ? null : Math.max(...subsets.map(({ gap }) => gap)),
  };
}
