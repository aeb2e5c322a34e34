// One AdamW update in float64 (Loshchilov & Hutter 2019, algorithm 2, with the rate inside the decay as PyTorch has it).

/** What changes in an update; arrays are replaced, not written to. */
export interface AdamWMoments {
  readonly parameter: Float64Array;
  readonly first: Float64Array;
  readonly second: Float64Array;
}

/** Settings of one update; `count` is 1 for the first. */
export interface AdamWSettings {
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly decay: number;
  readonly count: number;
}

/** The state after one update with gradient g. */
export function adamwUpdate(state: AdamWMoments, g: Float64Array, s: AdamWSettings): AdamWMoments {
  const first = state.first.map((m, i) => s.beta1 * m + (1 - s.beta1) * g[i]!);
  const second = state.second.map((v, i) => s.beta2 * v + (1 - s.beta2) * g[i]! ** 2);
  const parameter = state.parameter.map((p, i) => {
    const step = first[i]! / (1 - s.beta1 ** s.count) / (Math.sqrt(second[i]! / (1 - s.beta2 ** s.count)) + s.epsilon);
    return p - s.rate * s.decay * p - s.rate * step;
  });
  return { parameter, first, second };
}

/** min(1, limit / (‖g‖ + 1e-6)) over several gradients together. */
export function clipFactor(gradients: readonly Float64Array[], limit: number): number {
  const norm = Math.sqrt(gradients.reduce((sum, g) => sum + g.reduce((own, value) => own + value * value, 0), 0));
  return Math.min(1, limit / (norm + 1e-6));
}
