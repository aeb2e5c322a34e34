// Splits by entity: what a prompt of one part is about is never seen in another.
import { LimnError } from '@limn/gpu';
import { permutation } from '@limn/tensor';
import type { SteeringExample } from './examples.js';

/** Three parts with no entity in common. */
export interface EntitySplit<E extends SteeringExample = SteeringExample> {
  readonly train: readonly E[];
  readonly validation: readonly E[];
  readonly test: readonly E[];
  /** Examples whose entities fell into different parts: they are in none. */
  readonly mixed: number;
}

/** How to split. */
export interface SplitOptions {
  /** Of the entities; what is left is the test part. Default .6 and .2. */
  readonly train?: number;
  readonly validation?: number;
  /** Default 0. */
  readonly seed?: number;
}

/**
 * Deals the entities of all examples, in the order of a seeded permutation, to three parts. An example belongs to a part when all its
 * entities do. Examples without entities are entities of their own: they are split one by one.
 * @throws LimnError `usage/steering-option`, `data/steering-split` when a part would be empty
 */
export function splitByEntity<E extends SteeringExample>(
  examples: readonly E[],
  { train = 0.6, validation = 0.2, seed = 0 }: SplitOptions = {},
): EntitySplit<E> {
  if (!(train > 0 && validation >= 0 && train + validation <= 1 && Number.isSafeInteger(seed) && seed >= 0))
    throw new LimnError(
      'usage/steering-option',
      `A split of ${train} for training and ${validation} for validation with seed ${seed} cannot be made.`,
      { details: { train, validation, seed }, hint: 'Give shares that sum to at most 1 and a whole seed from 0.' },
    );
  const named = examples.map(({ entities }, i) => (entities?.length ? entities : [`example ${i}`]));
  const entities = [...new Set(named.flat())].sort();
  const order = permutation(entities.length, { seed });
  const ends = [Math.round(train * entities.length), Math.round((train + validation) * entities.length)] as const;
  const partOf = new Map<string, number>();
  order.forEach((entity, rank) => {
    partOf.set(entities[entity] as string, rank < ends[0] ? 0 : rank < ends[1] ? 1 : 2);
  });
  const parts: [E[], E[], E[]] = [[], [], []];
  let mixed = 0;
  examples.forEach((example, i) => {
    const places = new Set((named[i] as readonly string[]).map((entity) => partOf.get(entity) as 0 | 1 | 2));
    const [place] = places;
    if (places.size === 1 && place !== undefined) parts[place].push(example);
    else mixed++;
  });
  const names = ['train', 'validation', 'test'] as const;
  const wanted = [train, validation, 1 - train - validation];
  const empty = names.find((_, i) => (wanted[i] as number) > 1e-9 && parts[i]?.length === 0);
  if (empty !== undefined)
    throw new LimnError(
      'data/steering-split',
      `${examples.length} examples about ${entities.length} entities leave no example for the part '${empty}'.`,
      {
        details: { part: empty, examples: examples.length, entities: entities.length, mixed },
        hint: 'Give more examples, or other shares.',
      },
    );
  return { train: parts[0], validation: parts[1], test: parts[2], mixed };
}
