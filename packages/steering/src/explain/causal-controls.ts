// The sets of values that a verdict compares: the largest cells alone, all but them, the same numbers elsewhere or turned round, and vectors of random direction.
import type { HookedModel, HookName, RunControls } from '@limn/hooks';
import type { SteeringExample } from '../examples.js';
import type { SteeringCell } from '../minimality.js';
import { steeredPlaces } from '../sites.js';
import { steererOf } from '../steerer.js';
import { Steering, type SteeringSpec, type SteeringValues } from '../steering.js';
import { gridIndex } from './cell-grid.js';
import { only, permuted, randomVectors, signShuffled, without } from './cell-values.js';
import { differencesAt, measureCandidates, type CandidateDifferences } from './measure-candidates.js';
import { largestCells } from './live-cells.js';
import { normAndDirection } from './norm-direction.js';

/** The effect with some of the cells on. */
export interface CurvePoint {
  /** Of the largest cells: those on (sufficiency) or off (necessity). */
  readonly cells: number;
  /** Mean Δ_{+β} − Δ_{−β}. */
  readonly effect: number;
  /** Of the effect of all cells; null where that is 0. */
  readonly share: number | null;
}

/** What sets that are no explanation do. */
export interface ControlDraws {
  /** Mean Δ_{+β} − Δ_{−β} of each draw. */
  readonly effects: readonly number[];
  /** (1 + #{draws with at least the effect of the values, or equal to .001 logits}) / (1 + draws). */
  readonly p: number;
}

/** All that is measured on the examples with sets of equal numbers. */
export interface CausalControls {
  /** Δ_{+β} and Δ_{−β} of the values by example. */
  readonly up: Float64Array;
  readonly down: Float64Array;
  readonly sufficiency: readonly CurvePoint[];
  readonly necessity: readonly CurvePoint[];
  /** The numbers of the cells dealt to all live cells anew. */
  readonly permutation: ControlDraws;
  /** Signs drawn anew: with few cells many draws are the values themselves. */
  readonly signShuffle: ControlDraws;
}

/** What a measurement needs to know. */
export interface ControlSettings {
  readonly strength: number;
  readonly draws: number;
  readonly seed: number;
  readonly sizes?: readonly number[] | undefined;
}

/**
 * Effects closer than this, in logits, are equal: a draw may be the values themselves, and rows of another batch round differently; logits of
 * size 100 carry some 10⁻⁵ in f32.
 */
const TIE = 1e-3;

/** Streams of the draws, one range per kind. */
const STREAMS = { permutation: 2 ** 16, signs: 2 ** 17, vectors: 2 ** 18 } as const;

/** Δ_{+β} − Δ_{−β} of one set, by example. */
export function shiftOf(measured: CandidateDifferences, candidate: number): Float64Array {
  const down = differencesAt(measured, candidate, 1);
  return differencesAt(measured, candidate, 0).map((up, n) => up - (down[n] as number));
}

export function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

/** The values, curves, permutations and sign shuffles, all as candidates side by side. */
export async function measureControls(
  model: HookedModel,
  examples: readonly SteeringExample[],
  values: SteeringValues,
  cells: readonly SteeringCell[],
  { strength, draws, seed, sizes }: ControlSettings,
  controls: RunControls,
): Promise<CausalControls> {
  const on = largestCells(cells);
  const live = cells.filter((cell) => cell.live);
  const counts = sizes ?? doublings(on.length);
  const drawn = Array.from({ length: draws }, (_, draw) => draw);
  const sets: (() => SteeringValues)[] = [
    () => values,
    ...counts.map((k) => () => only(values, cells, on.slice(0, k))),
    ...counts.map((k) => () => without(values, on.slice(0, k))),
    ...drawn.map((draw) => () => permuted(values, live, { seed, stream: STREAMS.permutation + draw })),
    ...drawn.map((draw) => () => signShuffled(values, live, { seed, stream: STREAMS.signs + draw })),
  ];
  const measured = await measureCandidates(model, sets, examples, [strength, -strength], controls);
  const effects = sets.map((_, candidate) => meanOf(shiftOf(measured, candidate)));
  const [whole = 0, ...rest] = effects;
  const curve = (from: number): CurvePoint[] =>
    counts.map((count, i) => {
      const effect = rest[from + i] as number;
      return { cells: count, effect, share: whole === 0 ? null : effect / whole };
    });
  const from = 2 * counts.length;
  return {
    up: differencesAt(measured, 0, 0),
    down: differencesAt(measured, 0, 1),
    sufficiency: curve(0),
    necessity: curve(counts.length),
    permutation: against(rest.slice(from, from + draws), whole),
    signShuffle: against(rest.slice(from + draws), whole),
  };
}

/** 1, 2, 4, … and all. */
function doublings(all: number): number[] {
  const powers = Array.from({ length: 32 }, (_, i) => 2 ** i).filter((k) => k < all);
  return all === 0 ? [] : [...powers, all];
}

function against(effects: readonly number[], effect: number): ControlDraws {
  return { effects, p: (1 + effects.filter((each) => each >= effect - TIE).length) / (1 + effects.length) };
}

/**
 * Vectors of random direction in the same cells, each as long as what the values do to the activation there at that strength, the mean over
 * the examples: an edit of the same size that knows nothing.
 */
export async function measureRandomVectors(
  model: HookedModel,
  examples: readonly SteeringExample[],
  values: SteeringValues,
  effect: number,
  { strength, draws, seed }: ControlSettings,
  controls: RunControls,
): Promise<ControlDraws> {
  const { positions, sites, layers } = values.spec;
  const steering = new Steering(model, values.spec, { values: [values] });
  const steerer = steererOf('the values', steering, { nonZero: 0 });
  const { size } = await normAndDirection(model, examples, steerer, {
    ...controls,
    onProgress: undefined,
    strength,
    positions,
  }).finally(() => steering.dispose());
  const spec: SteeringSpec = { method: { kind: 'steer-vec' }, sites, positions, ...(layers ? { layers } : {}) };
  const places = new Map(steeredPlaces(model.info, spec).map((place) => [place.at, place] as const));
  const blank: SteeringValues = {
    spec,
    fingerprint: values.fingerprint,
    places: new Map(
      [...places].map(([at, { elements }]) => [
        at,
        new Map([['vector', new Float32Array(positions.names.length * elements)] as const]),
      ]),
    ),
  };
  const lengthOf = (at: HookName, slot: number): number => {
    const place = places.get(at);
    return place && values.places.has(at) ? (size.values[gridIndex(size, place, slot)] ?? 0) / Math.abs(strength) : 0;
  };
  const measured = await measureCandidates(
    model,
    Array.from(
      { length: draws },
      (_, i) => () => randomVectors(blank, lengthOf, { seed, stream: STREAMS.vectors + i }),
    ),
    examples,
    [strength, -strength],
    controls,
  );
  return against(
    Array.from({ length: draws }, (_, i) => meanOf(shiftOf(measured, i))),
    effect,
  );
}
