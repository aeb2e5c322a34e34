// Examples whose answers are to stay while others are made alike: some are learnt from, and some show whether that holds elsewhere.
import { LimnError } from '@limn/gpu';
import { splitByEntity, type SteeringExample } from '@limn/steering';

/** Retained examples in two parts with nothing in common that they are about. */
export interface RetainedSets {
  readonly learnt: readonly SteeringExample[];
  /** Not learnt from; none where all are about one thing. */
  readonly unseen: readonly SteeringExample[];
}

/** Of what they are about. */
const LEARNT = 0.6;

/** Deals them by entity. */
export function dealRetained(examples: readonly SteeringExample[], seed: number): RetainedSets {
  const about = new Set(examples.map(({ entities }, i) => entities?.join() || `example ${i}`));
  if (about.size < 2) return { learnt: examples, unseen: [] };
  const { train, test } = splitByEntity(examples, { seed, train: LEARNT, validation: 0 });
  return { learnt: train, unseen: test };
}

/**
 * Refuses prompts that are to stay where nothing is made alike.
 * @throws LimnError `usage/steering-objective`
 */
export function expectRetained({
  retain,
  objective,
}: {
  readonly retain?: string | undefined;
  readonly objective: string;
}): void {
  if (retain === undefined || objective === 'parity') return;
  throw new LimnError('usage/steering-objective', `--retain ${retain}: the objective ${objective} retains no answers`, {
    details: { retain, objective },
    hint: 'add --objective parity, or leave --retain out',
  });
}
