// What a function of the caller's gave back, checked: a tensor of the shape that is needed, not a promise of one and not a number.
import { LimnError, shownValue } from '@limn/gpu';
import { Tensor } from '@limn/tensor';

/** Whose result it is: `intervention "mine"`, and `at blocks.0.hook_z`. */
export interface ResultOf {
  readonly who: string;
  readonly where: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** @throws LimnError `hooks/wrong-shape` for any other shape and for what is no tensor */
export function expectTensor(given: unknown, shape: readonly number[], { who, where, details }: ResultOf): Tensor {
  const wanted = `[${shape.join(', ')}]`;
  if (given instanceof Tensor) {
    if (given.shape.join() === shape.join()) return given;
    throw new LimnError(
      'hooks/wrong-shape',
      `${who} gave shape [${given.shape.join(', ')}] ${where}; expected ${wanted}`,
      { details: { ...details, given: given.shape, expected: shape } },
    );
  }
  const promised = given instanceof Promise;
  // The run ends here, so nobody else would hear of its failure, which would end the process.
  if (promised) given.catch(() => undefined);
  const what = promised ? 'a promise' : shownValue(given);
  throw new LimnError('hooks/wrong-shape', `${who} gave ${what} ${where}; expected a tensor ${wanted}`, {
    details: { ...details, given: what, expected: shape },
    hint: promised
      ? 'It must not be async: it records operations on the step and gives the tensor at once, before anything has run.'
      : 'Give the tensor that operations of @limn/tensor record on the step.',
  });
}
