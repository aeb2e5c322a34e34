// How the rate and the weight of sparsity go over a run: a linear warm-up, a constant, a linear end; a linear ramp.

/** Over how much of a run the rate rises and falls. */
export interface RateShape {
  /** Updates of the run. */
  readonly updates: number;
  /** Updates over which the rate rises. */
  readonly warmUp: number;
  /** Share of the run, at its end, over which the rate falls to 0. */
  readonly decay: number;
}

/** The rate's factor at update u (0, 1, …): min((u + 1) / w, 1, (U − u) / (d·U)). */
export function rateAt(u: number, { updates, warmUp, decay }: RateShape): number {
  const rising = warmUp > 0 ? (u + 1) / warmUp : 1;
  const falling = decay > 0 ? (updates - u) / (decay * updates) : 1;
  return Math.min(rising, 1, falling);
}

/** The factor of λ at update u: from 0 to 1 over the first `share` of the run. */
export function rampAt(u: number, updates: number, share: number): number {
  return share > 0 ? Math.min(1, (u + 1) / (share * updates)) : 1;
}
