// How the weight of sparsity goes over a run: a linear ramp.

/** The factor of λ at update u: from 0 to 1 over the first `share` of the run. */
export function rampAt(u: number, updates: number, share: number): number {
  return share > 0 ? Math.min(1, (u + 1) / (share * updates)) : 1;
}
