// What several layers' interventions make of one layer's input, made once in a run.
import type { Step } from '@limn/gpu';
import type { Tensor } from '@limn/tensor';

/** Kept as long as the step is, and for the input that it was made of: another run in the same step has another. */
export class OncePerRun<Made> {
  readonly #ofStep = new WeakMap<Step, Map<number, { readonly x: Tensor; readonly made: Made }>>();

  /** What `make` gives for x of layer i. */
  of(step: Step, i: number, x: Tensor, make: () => Made): Made {
    const known = this.#ofStep.get(step) ?? new Map<number, { readonly x: Tensor; readonly made: Made }>();
    this.#ofStep.set(step, known);
    const found = known.get(i);
    if (found?.x === x) return found.made;
    const made = make();
    known.set(i, { x, made });
    return made;
  }
}
