// Learnt values with some cells on, off, moved or turned round: the sets that interactions and controls are measured by.
import type { HookName } from '@limn/hooks';
import { fillNormal, permutation, randomU32 } from '@limn/tensor';
import type { SteeringCell } from '../minimality.js';
import { hasRowCells, type ParameterForm } from '../method.js';
import type { SteeringValues } from '../steering.js';

/** The numbers of one cell: `width` of them from `from` on, in the table of its place. */
interface CellPlace {
  readonly at: HookName;
  readonly name: ParameterForm['name'];
  readonly from: number;
  readonly width: number;
}

/** Where a cell's numbers stand. */
function placeOf({ places, spec }: SteeringValues, { place, slot, unit }: SteeringCell): CellPlace {
  const name = places.get(place.at)?.has('vector') ? 'vector' : 'alpha';
  const columns = (places.get(place.at)?.get(name)?.length ?? 0) / spec.positions.names.length;
  return { at: place.at, name, from: slot * columns + unit, width: hasRowCells(spec.method) ? columns : 1 };
}

/** A copy whose tables may be written to. */
function copyOf(
  values: SteeringValues,
): SteeringValues & { readonly places: Map<HookName, Map<string, Float32Array>> } {
  const places = new Map(
    [...values.places].map(([at, own]) => [at, new Map([...own].map(([name, data]) => [name, data.slice()]))] as const),
  );
  return { ...values, places: places as Map<HookName, Map<ParameterForm['name'], Float32Array>> };
}

function numbersOf({ places }: SteeringValues, { at, name, from, width }: CellPlace): Float32Array {
  return (places.get(at)?.get(name) ?? new Float32Array(0)).subarray(from, from + width);
}

/** The values with these cells at 0. */
export function without(values: SteeringValues, off: readonly SteeringCell[]): SteeringValues {
  const copy = copyOf(values);
  for (const cell of off) numbersOf(copy, placeOf(values, cell)).fill(0);
  return copy;
}

/** The values with only these cells on; `all` are the cells of the values. */
export function only(
  values: SteeringValues,
  all: readonly SteeringCell[],
  on: readonly SteeringCell[],
): SteeringValues {
  const kept = new Set(on);
  return without(
    values,
    all.filter((cell) => !kept.has(cell)),
  );
}

/** A seed and the number of the draw. */
export interface Draw {
  readonly seed: number;
  /** A stream of the seed: each draw of each kind has its own. */
  readonly stream: number;
}

/** The numbers of these cells dealt to them anew: among cells of as many numbers, in a seeded order. */
export function permuted(values: SteeringValues, cells: readonly SteeringCell[], draw: Draw): SteeringValues {
  const copy = copyOf(values);
  const places = cells.map((cell) => placeOf(values, cell));
  for (const width of new Set(places.map((place) => place.width))) {
    const alike = places.filter((place) => place.width === width);
    permutation(alike.length, draw).forEach((source, i) =>
      numbersOf(copy, alike[i] as CellPlace).set(numbersOf(values, alike[source] as CellPlace)),
    );
  }
  return copy;
}

/** The values with the sign of each of these cells drawn anew. */
export function signShuffled(values: SteeringValues, cells: readonly SteeringCell[], draw: Draw): SteeringValues {
  const copy = copyOf(values);
  cells.forEach((cell, i) => {
    if (randomU32(draw.seed, draw.stream, i) % 2 === 0) return;
    const numbers = numbersOf(copy, placeOf(values, cell));
    numbers.forEach((value, j) => (numbers[j] = -value));
  });
  return copy;
}

/** Vectors [positions, elements] of random directions; `lengthOf` gives the length of each, 0 for none. */
export function randomVectors(
  blank: SteeringValues,
  lengthOf: (at: HookName, slot: number) => number,
  draw: Draw,
): SteeringValues {
  const copy = copyOf(blank);
  const P = blank.spec.positions.names.length;
  let start = 0;
  for (const [at, own] of copy.places) {
    const table = own.get('vector') ?? new Float32Array(0);
    const elements = table.length / P;
    for (let slot = 0; slot < P; slot++, start += elements) {
      const length = lengthOf(at, slot);
      if (length === 0) continue;
      const row = fillNormal(table.subarray(slot * elements, (slot + 1) * elements), { ...draw, start });
      const scale = length / Math.hypot(...row);
      row.forEach((value, i) => (row[i] = scale * value));
    }
  }
  return copy;
}
