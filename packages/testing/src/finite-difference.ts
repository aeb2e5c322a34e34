// Checks a float64 vjp: ⟨v, Jᵀu⟩ = ⟨(f(x + hv) − f(x − hv)) / 2h, u⟩ for random directions u, v.
import { referenceRandom } from './reference-rng.js';

/** A reference op seen as a function of arrays; inputs that have no gradient are closed over. */
export interface DifferentiableReference {
  readonly name: string;
  forward(inputs: readonly Float64Array[]): readonly Float64Array[];
  vjp(inputs: readonly Float64Array[], dOutputs: readonly Float64Array[]): readonly Float64Array[];
}

/** How close the two inner products must be. */
export interface FiniteDifferenceOptions {
  readonly seed?: number;
  /** Random (u, v) pairs per input. */
  readonly directions?: number;
  /** Step h. Central differences in f64 err by h² and by 2⁻⁵³/h: 1e-5 makes both about 1e-10. */
  readonly step?: number;
  readonly rtol?: number;
}

/** Throws with op, input and both numbers when a vjp disagrees with central differences. Returns the largest relative difference. */
export function checkVjp(
  op: DifferentiableReference,
  inputs: readonly Float64Array[],
  { seed = 1, directions = 3, step = 1e-5, rtol = 1e-6 }: FiniteDifferenceOptions = {},
): number {
  const random = referenceRandom(seed);
  let worst = 0;
  for (let round = 0; round < directions; round++) {
    const seeds = op.forward(inputs).map((output) => random.normals(output.length));
    const gradients = op.vjp(inputs, seeds);
    if (gradients.length !== inputs.length) {
      throw new Error(`${op.name}: vjp returned ${gradients.length} gradients for ${inputs.length} inputs`);
    }
    for (const [at, input] of inputs.entries()) {
      const direction = random.normals(input.length);
      const moved = (sign: number): readonly Float64Array[] =>
        op.forward(inputs.map((x, i) => (i === at ? x.map((value, j) => value + sign * step * direction[j]!) : x)));
      const up = moved(1);
      const down = moved(-1);
      let numeric = 0;
      for (const [o, seedValues] of seeds.entries()) {
        for (let i = 0; i < seedValues.length; i++) {
          numeric += (seedValues[i]! * (up[o]![i]! - down[o]![i]!)) / (2 * step);
        }
      }
      const gradient = gradients[at]!;
      let analytic = 0;
      let squares = 0;
      for (let i = 0; i < direction.length; i++) {
        analytic += gradient[i]! * direction[i]!;
        squares += (gradient[i]! * direction[i]!) ** 2;
      }
      // The inner product may cancel to nearly nothing; its own terms say how large it could have been.
      const size = Math.max(Math.abs(numeric), Math.abs(analytic), Math.sqrt(squares), 1e-12);
      const difference = Math.abs(numeric - analytic) / size;
      worst = Math.max(worst, difference);
      if (!(difference <= rtol)) {
        throw new Error(
          `${op.name}: input ${at}: vjp gives ${analytic}, finite differences ${numeric} (relative ${difference}, allowed ${rtol})`,
        );
      }
    }
  }
  return worst;
}
