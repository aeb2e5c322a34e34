// Many circuits by evaluateCircuits: made a group at a time, pruned, and each distinct one run once.
import type { HookedModel } from '@limn/hooks';
import { Circuit } from './circuit.js';
import { evaluateCircuits } from './evaluate.js';
import type { Evaluation, EvaluationOptions } from './evaluate.js';
import type { MetricValues } from './evaluation-base.js';
import { edgesOf, pruneRunnable } from './neuron-circuit.js';
import type { RunnableCircuit } from './neuron-circuit.js';
import type { Pair } from './pairs.js';

/** Circuits held at a time: a mask of GPT-2 small has 70 kB, and each group costs one more clean and corrupted run. */
const GROUP = 256;

/** Metrics of circuits that were run before on the same pairs under the same options, by {@link circuitKey}. */
export type KnownCircuits = Map<string, MetricValues>;

/** The kept edges of a circuit, and neurons where it keeps only some, as a string: equal for equal circuits of one graph and one kind. */
export function circuitKey(given: RunnableCircuit): string {
  const edges = bitsKey(edgesOf(given).mask());
  return given instanceof Circuit ? edges : edges + bitsKey(given.neurons);
}

/** 16 bits to a character. */
function bitsKey(mask: Uint8Array): string {
  const words = new Uint16Array(Math.ceil(mask.length / 16));
  for (let i = 0; i < mask.length; i++) if (mask[i]) words[i >> 4] = (words[i >> 4] as number) | (1 << (i & 15));
  let key = '';
  // In parts: one call takes only so many arguments.
  for (let i = 0; i < words.length; i += 4096) key += String.fromCharCode(...words.subarray(i, i + 4096));
  return key;
}

/**
 * Metrics of `count` circuits, in order. `circuitAt(i)` is asked once for each, when its turn comes; `known` is read and added to.
 * @throws LimnError as `evaluateCircuits`; AbortedError
 */
export async function evaluateDistinct(
  model: HookedModel,
  {
    count,
    circuitAt,
    known = new Map(),
  }: { count: number; circuitAt: (i: number) => RunnableCircuit; known?: KnownCircuits },
  pairs: readonly Pair[],
  options: EvaluationOptions,
): Promise<Evaluation> {
  const { onProgress } = options;
  const results: MetricValues[] = [];
  let baselines: Pick<Evaluation, 'clean' | 'empty'> | undefined;
  while (baselines === undefined || results.length < count) {
    const start = results.length;
    const size = Math.min(GROUP, count - start);
    const group = Array.from({ length: size }, (_, i) => pruneRunnable(circuitAt(start + i)));
    const keys = group.map(circuitKey);
    // Small ones first: a step holds as many circuits as fit, and fewer once one did not.
    const missing = new Map(
      keys
        .flatMap((key, i) => (known.has(key) ? [] : [[key, group[i] as RunnableCircuit] as const]))
        .sort(([, a], [, b]) => edgesOf(a).edgeCount - edgesOf(b).edgeCount),
    );
    if (baselines === undefined || missing.size > 0) {
      const { clean, empty, circuits } = await evaluateCircuits(model, [...missing.values()], pairs, {
        ...options,
        ...(onProgress && {
          onProgress: ({ unit, done, total }) =>
            onProgress({
              unit,
              done: (start + Math.floor((size * done) / total)) * pairs.length,
              total: count * pairs.length,
            }),
        }),
      });
      baselines ??= { clean, empty };
      for (const [i, key] of [...missing.keys()].entries()) known.set(key, circuits[i] as MetricValues);
    }
    results.push(...keys.map((key) => known.get(key) as MetricValues));
  }
  return { ...baselines, circuits: results };
}
