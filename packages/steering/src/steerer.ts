// Anything that steers, as evaluation sees it: a strength in, interventions (or another prompt) out.
import type { Intervention } from '@limn/hooks';
import type { SteeringExample } from './examples.js';
import type { Steering } from './steering.js';

/** One row of a run: an example and the strength that it is to be steered with. */
export interface SteeredRow {
  readonly example: SteeringExample;
  /** β; 0 is the untouched model. */
  readonly strength: number;
}

/** A way to steer: learnt, training-free or by words. */
export interface Steerer {
  readonly name: string;
  /** Numbers that it stores, and how many of them are not 0. */
  readonly parameters: number;
  readonly nonZero: number;
  /** Interventions for a run whose rows are these. */
  interventions(rows: readonly SteeredRow[]): readonly Intervention[];
  /** Another prompt in the place of the row's own, with the same answers behind it. Default: the row's own. */
  prompt?(row: SteeredRow): readonly number[];
}

/** The untouched model. */
export const UNTOUCHED: Steerer = { name: 'untouched', parameters: 0, nonZero: 0, interventions: () => [] };

/** Learnt or given values as a steerer; `scale` multiplies every strength. */
export function steererOf(
  name: string,
  steering: Steering,
  { nonZero, scale = 1 }: { readonly nonZero: number; readonly scale?: number },
): Steerer {
  return {
    name,
    parameters: steering.parameterCount,
    nonZero,
    interventions: (rows) =>
      steering.interventions({
        strength: rows.map(({ strength }) => scale * strength),
        roles: rows.map(({ example }) => example.roles),
      }),
  };
}
