// Minimality: what the metric and f do when a single edge, or a single node, is dropped from a circuit. Wang et al., arXiv 2211.00593 §4.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { Circuit } from './circuit.js';
import { ROUND_OFF } from './curve-flags.js';
import { evaluateDistinct } from './evaluate-distinct.js';
import type { Ablation } from './ablation.js';
import { normalisedFaithfulness } from './faithfulness.js';
import { knockOutsOf, without } from './knock-out.js';
import type { KnockOutUnit } from './knock-out.js';
import type { Metric } from './metrics.js';
import { edgesOf, pruneRunnable } from './neuron-circuit.js';
import type { RunnableCircuit } from './neuron-circuit.js';
import type { Pair } from './pairs.js';

/** How a circuit is tried. */
export interface MinimalityOptions extends RunControls {
  readonly metric: Metric;
  /** Default 'patch'. */
  readonly ablation?: Ablation | undefined;
  /**
   * A change of the metric up to this much is none. Default: f32 round-off of a forward pass, 2⁻²⁰ of the larger of 1 and the
   * largest |metric| involved.
   */
  readonly tolerance?: number | undefined;
}

/** One edge or node dropped. */
export interface Drop {
  readonly unit: KnockOutUnit;
  readonly name: string;
  /** Edges that are left after pruning. */
  readonly kept: number;
  /** Mean metric without it, and that minus the metric of the circuit. */
  readonly value: number;
  readonly change: number;
  /** f without it, and that minus f of the circuit; null where there is no f. */
  readonly faithfulness: number | null;
  readonly faithfulnessChange: number | null;
  /**
   * Where the metric goes: away from the clean run ('needed'), nowhere ('idle'), or towards it and beyond ('harmful'); 'unknown' where
   * it is no finite number, with the part, without it, or at the baselines that say which way the clean run lies.
   */
  readonly verdict: 'needed' | 'idle' | 'harmful' | 'unknown';
}

/** A circuit with each of its parts dropped once. */
export interface Minimality {
  /** The pruned circuit that was tried. */
  readonly circuit: Circuit;
  /** Of a neuron circuit, the neurons that it keeps, [nForward × width]. */
  readonly neurons?: Uint8Array;
  readonly baselines: { readonly clean: number; readonly empty: number };
  readonly value: number;
  readonly faithfulness: number | null;
  /** Why there is no faithfulness. */
  readonly reason?: string;
  readonly tolerance: number;
  /** By destination, then source. */
  readonly edges: readonly Drop[];
  /** In the order of the graph, without `input` and `logits`. */
  readonly nodes: readonly Drop[];
  /** Edges whose drop changes nothing or helps: the circuit is minimal when there are none. */
  readonly dispensable: readonly string[];
}

/**
 * Drops every edge and every node of the pruned circuit, one at a time; of a neuron circuit, an edge goes with all that it carries. A single drop says nothing of two that stand in for
 * one another: both are 'idle' although one is needed.
 * @throws LimnError `usage/tolerance`, and as `evaluateCircuits`; AbortedError
 */
export async function minimality(
  model: HookedModel,
  given: RunnableCircuit,
  pairs: readonly Pair[],
  options: MinimalityOptions,
): Promise<Minimality> {
  const { metric } = options;
  expectTolerance(options.tolerance);
  const own = pruneRunnable(given);
  const circuit = edgesOf(own);
  const parts = [...knockOutsOf(circuit, 'edge'), ...knockOutsOf(circuit, 'node')];
  const kept: number[] = [];
  const { clean, empty, circuits } = await evaluateDistinct(
    model,
    {
      count: parts.length + 1,
      circuitAt: (i) => {
        const part = parts[i - 1];
        const tried = part ? pruneRunnable(without(own, [part])) : own;
        kept[i] = edgesOf(tried).edgeCount;
        return tried;
      },
    },
    pairs,
    { ...options, metrics: [metric] },
  );
  const [value = Number.NaN, ...values] = circuits.map(({ mean }) => mean[metric.name] ?? Number.NaN);
  const baselines = { clean: clean.mean[metric.name] ?? Number.NaN, empty: empty.mean[metric.name] ?? Number.NaN };
  const f = (x: number): number | null => normalisedFaithfulness(x, baselines.clean, baselines.empty).value;
  const { value: faithfulness, reason } = normalisedFaithfulness(value, baselines.clean, baselines.empty);
  const known = [baselines.clean, baselines.empty, value, ...values].filter(Number.isFinite);
  const largest = known.reduce((a, x) => Math.max(a, Math.abs(x)), 1);
  const { tolerance = ROUND_OFF * largest } = options;
  // With a denominator below 0 the behaviour is a low metric, and a rise leads away from it.
  const range = baselines.clean - baselines.empty;
  const towards = range === 0 ? 1 : Math.sign(range);
  const drops = parts.map(({ unit, name }, i): Drop => {
    const dropped = values[i] ?? Number.NaN;
    const change = dropped - value;
    const left = f(dropped);
    return {
      unit,
      name,
      kept: kept[i + 1] ?? 0,
      value: dropped,
      change,
      faithfulness: left,
      faithfulnessChange: left === null || faithfulness === null ? null : left - faithfulness,
      verdict: verdictOf(change, towards, tolerance),
    };
  });
  const edges = drops.filter(({ unit }) => unit === 'edge');
  return {
    circuit,
    ...(own instanceof Circuit ? {} : { neurons: own.neurons }),
    baselines,
    value,
    faithfulness,
    ...(reason === undefined ? {} : { reason }),
    tolerance,
    edges,
    nodes: drops.filter(({ unit }) => unit === 'node'),
    dispensable: edges.filter(({ verdict }) => verdict === 'idle' || verdict === 'harmful').map(({ name }) => name),
  };
}

/** Of a change of the metric; the clean run lies `towards` 1 or −1, NaN where that is not known. */
function verdictOf(change: number, towards: number, tolerance: number): Drop['verdict'] {
  if (!Number.isFinite(change)) return 'unknown';
  if (Math.abs(change) <= tolerance) return 'idle';
  if (Number.isNaN(towards)) return 'unknown';
  return change * towards < 0 ? 'needed' : 'harmful';
}

function expectTolerance(tolerance: number | undefined): void {
  if (tolerance === undefined || (Number.isFinite(tolerance) && tolerance >= 0)) return;
  throw new LimnError('usage/tolerance', `A tolerance is a number of at least 0; given ${tolerance}.`, {
    details: { tolerance },
    hint: 'It is in units of the metric; leave it out for the round-off of a forward pass.',
  });
}
