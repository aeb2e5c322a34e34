// Which values are learnt where learning is kept to some places and units: the nodes of a circuit, say.
import { LimnError } from '@limn/gpu';
import type { Steering } from './steering.js';
import type { SteeredPart } from './train-options.js';

/**
 * 1 for every value of every parameter that is learnt, 0 for the others. Values of a unit are its column, for all positions.
 * @throws LimnError `usage/steering-only`
 */
export function learntValues(steering: Steering, only: readonly SteeredPart[]): Uint8Array[] {
  const { places, parameters } = steering;
  for (const { at, units } of only) {
    const place = places.find((each) => each.at === at);
    const bad = units?.find((unit) => !Number.isInteger(unit) || unit < 0 || unit >= (place?.units ?? 0));
    if (!place || bad !== undefined)
      throw new LimnError(
        'usage/steering-only',
        place ? `${at} has no unit ${bad}.` : `Learning is to be kept to ${at}, which this steering does not edit.`,
        {
          details: { at, units: place?.units ?? null, given: bad ?? null },
          hint: place
            ? `It has units 0 to ${place.units - 1}.`
            : `Choose among ${places.map((each) => each.at).join(', ')}.`,
        },
      );
  }
  return parameters.map(({ at, tensor, form }) => {
    const mask = new Uint8Array(tensor.size);
    const width = form.shape[1];
    for (const part of only) {
      if (part.at !== at) continue;
      for (let i = 0; i < mask.length; i++) if (!part.units || part.units.includes(i % width)) mask[i] = 1;
    }
    return mask;
  });
}
