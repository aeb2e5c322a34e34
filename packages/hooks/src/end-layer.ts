// Where a run that stops early ends: before a block counted from the start, or from the end as Python counts.
import { LimnError } from '@limn/gpu';

/**
 * The first block that does not run: `stop` itself, layers + stop where it is negative, and all blocks run without it.
 * @throws LimnError `hooks/bad-layer` for anything but a whole number from −layers to layers
 */
export function endLayerOf(stop: number | undefined, layers: number): number {
  if (stop === undefined) return layers;
  if (Number.isInteger(stop) && stop >= -layers && stop <= layers) return stop < 0 ? layers + stop : stop;
  throw new LimnError(
    'hooks/bad-layer',
    `stopAtLayer is ${stop}; it must be a whole number from 0 to ${layers}, or from −${layers} to −1, counted from the end`,
    { details: { given: stop, highest: layers } },
  );
}
