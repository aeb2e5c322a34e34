// Which rows of a position table can have an effect on the logits at the last position when a place is edited there.
import type { SteeringExample } from './examples.js';
import { slotsOf, type PositionTable } from './positions.js';
import { isLive, type SteeredModel, type SteeredPlace } from './sites.js';

/**
 * By row of the table: whether a token of some example stands there at which the place is live. Without examples it is known by absolute place and
 * from the end; by role and where prompts may differ in length every row may be.
 * @throws LimnError `data/steering-length`, `data/steering-roles` for examples that do not fit the table
 */
export function liveSlots(
  info: Pick<SteeredModel, 'layers'>,
  place: SteeredPlace,
  table: PositionTable,
  examples: readonly Pick<SteeringExample, 'prompt' | 'roles'>[] = [],
): boolean[] {
  if (examples.length === 0) return table.names.map((_, slot) => mayLive(info, place, table, slot));
  const live = table.names.map(() => false);
  examples.forEach(({ prompt, roles }, example) =>
    slotsOf(table, { length: prompt.length, roles }, example).forEach((slot, t) => {
      if (slot >= 0 && isLive(info, place, t, prompt.length)) live[slot] = true;
    }),
  );
  return live;
}

/** Whether a row may have an effect on some prompt that fits the table. */
export function mayLive(
  info: Pick<SteeredModel, 'layers'>,
  place: SteeredPlace,
  { mode, skip, length = 0 }: PositionTable,
  slot: number,
): boolean {
  if (mode === 'absolute') return isLive(info, place, skip + slot, length);
  if (mode === 'from-end') return isLive(info, place, -1 - slot, 0);
  return true;
}
