// Learnt numbers, asked for by place and name: of this model, and as many as there are to be.
import { LimnError } from '@limn/gpu';
import type { HookName } from '@limn/hooks';
import type { ParameterForm } from './method.js';
import type { SteeringValues } from './steering.js';

/**
 * Refuses values that were learnt on other weights.
 * @throws LimnError `data/steering-fingerprint`
 */
export function expectModel({ fingerprint }: SteeringValues, own: string): void {
  if (fingerprint === own) return;
  throw new LimnError(
    'data/steering-fingerprint',
    `These values were learnt on a model with weights ${fingerprint.slice(0, 12)}…; this model's are ${own.slice(0, 12)}….`,
    {
      details: { given: fingerprint, expected: own },
      hint: 'Load the model that they were learnt on, with the same weight processing, or learn them anew.',
    },
  );
}

/**
 * One tensor of one place.
 * @throws LimnError `data/steering-values` where there is none of that shape
 */
export function valuesAt(
  { places }: SteeringValues,
  at: HookName,
  name: ParameterForm['name'],
  shape: readonly [number, number],
): Float32Array {
  const found = places.get(at)?.get(name);
  if (found?.length === shape[0] * shape[1]) return found;
  throw new LimnError(
    'data/steering-values',
    found
      ? `'${name}' at ${at} has ${found.length} numbers instead of ${shape[0] * shape[1]}.`
      : `There is no '${name}' at ${at}.`,
    {
      details: { at, name, expected: shape, given: found?.length ?? null },
      hint: 'Use values of the same sites, layers, positions and method.',
    },
  );
}
