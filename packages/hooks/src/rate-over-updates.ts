// How a rate goes over the updates of a method's training: a linear rise, a constant, a linear end.

/** Over how much of a run the rate rises and falls. */
export interface RateOverUpdates {
  /** Updates of the run. */
  readonly updates: number;
  /** Updates over which the rate rises. */
  readonly warmUp: number;
  /** Share of the run, at its end, over which the rate falls to 0. */
  readonly decay: number;
}

/** The rate's factor at update u (0, 1, …): min((u + 1) / w, 1, (U − u) / (d·U)). */
export function rateOverUpdates(u: number, { updates, warmUp, decay }: RateOverUpdates): number {
  const rising = warmUp > 0 ? (u + 1) / warmUp : 1;
  const falling = decay > 0 ? (updates - u) / (decay * updates) : 1;
  return Math.min(rising, 1, falling);
}
