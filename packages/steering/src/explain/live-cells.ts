// The cells of learnt values, live where the examples say so, by size and by name.
import { LimnError } from '@limn/gpu';
import type { SteeringExample } from '../examples.js';
import { liveSlots } from '../live-slots.js';
import { cellsOf, type SteeringCell } from '../minimality.js';
import type { SteerableSite, SteeredModel, SteeredPlace } from '../sites.js';
import type { SteeringValues } from '../steering.js';

/** A cell, as results name it. */
export interface CellName {
  readonly site: SteerableSite;
  readonly layer: number;
  /** As the position table has it. */
  readonly position: string;
  /** The head or neuron, where a place has several; otherwise 0. */
  readonly unit: number;
  /** α, or ‖v‖₂. */
  readonly value: number;
}

/** A cell by names. */
export function nameOf({ spec }: SteeringValues, { place, slot, unit, value }: SteeringCell): CellName {
  return { site: place.site, layer: place.layer, position: spec.positions.names[slot] as string, unit, value };
}

/** Those that can have an effect and are not 0, the largest first; equal ones in the order of the tables. */
export function largestCells(all: readonly SteeringCell[]): SteeringCell[] {
  return all.filter(({ live, value }) => live && value !== 0).sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
}

/**
 * The cells of values, live where the examples say so.
 * @throws LimnError `usage/steering-method` for values that belong to no cell
 */
export function expectCells(
  info: SteeredModel,
  values: SteeringValues,
  examples: readonly SteeringExample[],
): SteeringCell[] {
  const all = cellsOf(info, values);
  if (all.length === 0)
    throw new LimnError('usage/steering-method', `Values of '${values.spec.method.kind}' belong to no cell.`, {
      details: { method: values.spec.method.kind },
      hint: 'What the activations of some prompts make of them is in normAndDirection: its norm change of a cell is the mean of βα there.',
    });
  const live = new Map<SteeredPlace, readonly boolean[]>();
  return all.map((cell) => {
    const slots = live.get(cell.place) ?? liveSlots(info, cell.place, values.spec.positions, examples);
    live.set(cell.place, slots);
    return { ...cell, live: slots[cell.slot] === true };
  });
}
