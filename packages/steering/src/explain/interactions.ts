// Whether cells work together or for each other: I_ij = Δ(ij) − Δ(i) − Δ(j) + Δ(∅), every combination a row of its own.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import type { SteeringExample } from '../examples.js';
import type { SteeringCell } from '../minimality.js';
import type { SteeringValues } from '../steering.js';
import { meanOf } from './causal-controls.js';
import { only } from './cell-values.js';
import { expectCells, largestCells, nameOf, type CellName } from './live-cells.js';
import { differencesAt, measureCandidates, type CandidateDifferences } from './measure-candidates.js';

/** Two cells. Positive: more together than one by one; negative: each does part of what the other does. */
export interface CellPair {
  /** Places in `cells`, i < j. */
  readonly i: number;
  readonly j: number;
  /** Mean of I_ij over the examples, in logits, and its standard error; null for one example. */
  readonly value: number;
  readonly error: number | null;
}

/** Interactions of the largest cells. */
export interface CellInteractions {
  readonly strength: number;
  readonly examples: number;
  /** The largest first. */
  readonly cells: readonly CellName[];
  /** Mean Δ(∅): of the untouched model. */
  readonly untouched: number;
  /** Mean Δ(i) − Δ(∅) of each cell. */
  readonly single: readonly number[];
  /** All pairs, by i, then j. */
  readonly pairs: readonly CellPair[];
}

/** What `cellInteractions` takes. */
export interface CellInteractionsOptions extends RunControls {
  /** K. Default 32, or as many cells as are not 0. */
  readonly most?: number | undefined;
  /** β. Default 1. */
  readonly strength?: number | undefined;
}

/**
 * Runs 1 + K + K(K − 1)/2 combinations of the K largest cells, on with their values or off, all others being off; with 32 cells 529 times
 * the examples.
 * @throws LimnError `usage/steering-…` (`method`: values that belong to no cell), `data/steering-…`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function cellInteractions(
  model: HookedModel,
  examples: readonly SteeringExample[],
  values: SteeringValues,
  { most = 32, strength = 1, ...controls }: CellInteractionsOptions = {},
): Promise<CellInteractions> {
  if (!Number.isInteger(most) || most < 2)
    throw new LimnError('usage/steering-option', `Interactions are of at least 2 cells; given ${most}.`, {
      details: { most },
      hint: 'Give a whole number from 2.',
    });
  const all = expectCells(model.info, values, examples);
  const cells = largestCells(all).slice(0, most);
  const K = cells.length;
  const pairs = cells.flatMap((_, i) => Array.from({ length: K - i - 1 }, (_, n) => [i, i + 1 + n] as const));
  const combinations = [[], ...cells.map((_, i) => [i]), ...pairs];
  const measured = await measureCandidates(
    model,
    combinations.map(
      (on) => () =>
        only(
          values,
          all,
          on.map((i) => cells[i] as SteeringCell),
        ),
    ),
    examples,
    [strength],
    controls,
  );
  const ofNone = differencesAt(measured, 0);
  return {
    strength,
    examples: examples.length,
    cells: cells.map((cell) => nameOf(values, cell)),
    untouched: meanOf(ofNone),
    single: cells.map((_, i) => meanOf(differencesAt(measured, 1 + i)) - meanOf(ofNone)),
    pairs: pairs.map(([i, j], at) => ({ i, j, ...interaction(measured, [0, 1 + i, 1 + j, 1 + K + at]) })),
  };
}

function interaction(
  measured: CandidateDifferences,
  [none, i, j, both]: readonly [number, number, number, number],
): { readonly value: number; readonly error: number | null } {
  const [a, b, c, d] = [none, i, j, both].map((candidate) => differencesAt(measured, candidate)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const each = d.map((value, n) => value - (b[n] as number) - (c[n] as number) + (a[n] as number));
  const value = meanOf(each);
  const squares = each.reduce((sum, one) => sum + (one - value) ** 2, 0);
  return { value, error: each.length < 2 ? null : Math.sqrt(squares / (each.length - 1) / each.length) };
}
