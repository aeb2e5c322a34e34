// Which cells a measure is taken of: the places of sites and layers, and the rows of a position table that each prompt has.
import { LimnError } from '@limn/gpu';
import type { SteeringExample } from '../examples.js';
import { slotsOf, type PositionTable } from '../positions.js';
import { steeredPlaces, type SteerableSite, type SteeredModel, type SteeredPlace } from '../sites.js';
import { fillGrid, type CellGrid } from './cell-grid.js';
import { liveSlots } from '../live-slots.js';

/** The cells of a grid: those of a `SteeringSpec`, whatever its method. */
export interface CellSelection {
  readonly sites: readonly SteerableSite[];
  /** Default: all. */
  readonly layers?: readonly number[];
  readonly positions: PositionTable;
}

/** Cells and the examples they are measured on. */
export interface SelectedCells {
  readonly places: readonly SteeredPlace[];
  readonly positions: PositionTable;
  /** Row of the table of every token, −1 for none, by example. */
  readonly slots: readonly Int32Array[];
  live(place: SteeredPlace): readonly boolean[];
  /** A grid of numbers by place and row. */
  grid(measure: string, valuesOf: (place: SteeredPlace, slot: number) => ArrayLike<number> | number | null): CellGrid;
}

/**
 * The end of the last layer is not among them: what scales it as a whole is undone behind it.
 * @throws LimnError `usage/steering-site`, `usage/steering-layer`, `data/steering-length`, `data/steering-roles`
 */
export function selectCells(
  info: SteeredModel,
  { sites, layers, positions }: CellSelection,
  examples: readonly SteeringExample[],
): SelectedCells {
  const places = steeredPlaces(info, { method: { kind: 'activ-scalar' }, sites, ...(layers ? { layers } : {}) });
  const live = new Map(places.map((place) => [place, liveSlots(info, place, positions, examples)]));
  return {
    places,
    positions,
    slots: examples.map(({ prompt, roles }, i) => slotsOf(positions, { length: prompt.length, roles }, i)),
    live: (place) => live.get(place) ?? [],
    grid: (measure, valuesOf) =>
      fillGrid(measure, places, positions, { valuesOf, live: (place) => live.get(place) ?? [] }),
  };
}

/**
 * Refuses corrupted prompts that are not those of the examples token by token.
 * @throws LimnError `data/steering-pairs`
 */
export function checkCorrupted(
  examples: readonly SteeringExample[],
  corrupted: readonly (readonly number[])[],
  vocabulary: number,
): void {
  const odd = examples.findIndex(({ prompt }, i) => prompt.length !== corrupted[i]?.length);
  const bad = corrupted.findIndex((prompt) => prompt.some((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary));
  if (odd < 0 && bad < 0 && corrupted.length === examples.length) return;
  throw new LimnError(
    'data/steering-pairs',
    odd >= 0
      ? `Example ${odd} has ${examples[odd]?.prompt.length} tokens and its corrupted prompt ${corrupted[odd]?.length ?? 'is not there'}.`
      : bad >= 0
        ? `Corrupted prompt ${bad} has tokens that are not in the vocabulary (0–${vocabulary - 1}).`
        : `${corrupted.length} corrupted prompts were given for ${examples.length} examples.`,
    {
      details: { examples: examples.length, corrupted: corrupted.length, example: Math.max(odd, bad) },
      hint: 'Give one corrupted prompt per example, as long as its prompt, so that each token has its partner.',
    },
  );
}
