// Tensors of one step that a computation goes on with after it: kept together, given back together.
import type { Step } from '@limn/gpu';
import { detach, keep, type Tensor } from '@limn/tensor';

/**
 * Builds something on the tensors of a step: each that is given to `hold` outlives it, until `release` disposes of all. When `build`
 * fails they are released; the step is disposed of in any case.
 */
export async function holding<T>(
  step: Step,
  build: (hold: (x: Tensor) => Tensor, release: () => void) => Promise<T>,
): Promise<T> {
  const held: Tensor[] = [];
  const release = (): void => {
    for (const tensor of held) tensor.dispose();
  };
  try {
    return await build((x) => {
      const own = keep(step, detach(x));
      held.push(own);
      return own;
    }, release);
  } catch (error) {
    release();
    throw error;
  } finally {
    step.dispose();
  }
}
