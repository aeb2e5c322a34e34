// How much of a steering there is: values that are not 0, their sizes, and how few cells hold most of them.
import { mayLive } from './live-slots.js';
import { hasRowCells, type ParameterForm } from './method.js';
import { steeredPlaces, type SteeredModel, type SteeredPlace } from './sites.js';
import type { SteeringValues } from './steering.js';

/** One cell: a place, a position of the table, and a unit (0 where a place has one). */
export interface SteeringCell {
  readonly place: SteeredPlace;
  /** Row of the position table. */
  readonly slot: number;
  readonly unit: number;
  /** α, or ‖v‖₂ of a vector. */
  readonly value: number;
  /** Whether it can have an effect at all on prompts of the table. */
  readonly live: boolean;
}

/** Counts over the cells that can have an effect. */
export interface MinimalityFigures {
  readonly live: number;
  /** Exactly not 0, and above .001. */
  readonly nonZero: number;
  readonly aboveThousandth: number;
  readonly share: number;
  /** Σ|value|, and the Gini coefficient of |value| over live cells: 0 all alike, 1 one cell. */
  readonly l1: number;
  readonly gini: number;
  /** Numbers stored. */
  readonly parameters: number;
}

/**
 * Every cell of values by position: scalars one by one, vectors and scales per dimension as the norm of a row. Of methods whose scalars
 * activations decide there are none.
 * @throws LimnError `usage/steering-layer`, `usage/steering-site`
 */
export function cellsOf(info: SteeredModel, { spec, places }: SteeringValues): SteeringCell[] {
  const P = spec.positions.names.length;
  const wide = hasRowCells(spec.method);
  return steeredPlaces(info, spec).flatMap((place) => {
    const data = places.get(place.at);
    const values = data?.get('alpha') ?? data?.get('vector');
    if (!values) return [];
    const width = values.length / P;
    const units = wide ? 1 : width;
    return Array.from({ length: P * units }, (_, i) => {
      const slot = Math.floor(i / units);
      const value = wide ? Math.hypot(...values.subarray(slot * width, (slot + 1) * width)) : (values[i] as number);
      return { place, slot, unit: i % units, value, live: mayLive(info, place, spec.positions, slot) };
    });
  });
}

/**
 * Figures over the cells.
 * @throws LimnError `usage/steering-layer`, `usage/steering-site`
 */
export function minimalityOf(info: SteeredModel, values: SteeringValues): MinimalityFigures {
  const sizes = cellsOf(info, values)
    .filter(({ live }) => live)
    .map(({ value }) => Math.abs(value))
    .sort((a, b) => a - b);
  const l1 = sizes.reduce((sum, size) => sum + size, 0);
  const weighted = sizes.reduce((sum, size, i) => sum + (2 * (i + 1) - sizes.length - 1) * size, 0);
  const nonZero = sizes.filter((size) => size !== 0).length;
  return {
    live: sizes.length,
    nonZero,
    aboveThousandth: sizes.filter((size) => size > 1e-3).length,
    share: sizes.length === 0 ? Number.NaN : nonZero / sizes.length,
    l1,
    gini: l1 === 0 ? Number.NaN : weighted / (sizes.length * l1),
    parameters: countNumbers(values),
  };
}

function countNumbers({ places }: SteeringValues): number {
  const learnt = (name: ParameterForm['name']): boolean => name !== 'basis';
  return [...places.values()].reduce(
    (sum, own) => sum + [...own].reduce((total, [name, data]) => total + (learnt(name) ? data.length : 0), 0),
    0,
  );
}
