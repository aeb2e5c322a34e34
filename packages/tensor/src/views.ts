// Zero-copy views: another shape, another name, or no history, on the same memory.
import { record } from './tape.js';
import { Tensor } from './tensor.js';
import { countOf, sameShape, shapeError, showShape } from './shape.js';

/**
 * The same elements under another shape, on the tape. One length may be −1: what is left over.
 * @throws LimnError `tensor/shape`
 */
export function reshape(tensor: Tensor, shape: readonly number[]): Tensor {
  const resolved = resolve(tensor, shape);
  return view('reshape', tensor, new Tensor(tensor.storage, resolved, tensor.dtype, { label: tensor.label }));
}

/** A tape node of its own on the same memory: the gradient at this point is this branch's alone. A hook site. */
export function identity(tensor: Tensor, label: string): Tensor {
  return view(label, tensor, new Tensor(tensor.storage, tensor.shape, tensor.dtype, { label }));
}

/** The same memory without history: gradients stop here. */
export function detach(tensor: Tensor): Tensor {
  return new Tensor(tensor.storage, tensor.shape, tensor.dtype, { label: tensor.label });
}

function view(name: string, input: Tensor, output: Tensor): Tensor {
  const [own] = record<readonly [Tensor]>([output], {
    name,
    step: input.node?.step,
    inputs: [input],
    pull: (_step, [gradient]) => [
      gradient && !sameShape(gradient.shape, input.shape)
        ? new Tensor(gradient.storage, input.shape, gradient.dtype, { label: gradient.label })
        : gradient,
    ],
  });
  return own;
}

function resolve(tensor: Tensor, shape: readonly number[]): readonly number[] {
  const open = shape.indexOf(-1);
  const known = countOf(shape.filter((_, axis) => axis !== open));
  const resolved = open < 0 ? shape : shape.map((length, axis) => (axis === open ? tensor.size / known : length));
  if (countOf(resolved) !== tensor.size || resolved.some((length) => !Number.isInteger(length)))
    throw shapeError(
      'reshape',
      `${showShape(tensor.shape)} holds ${tensor.size} elements and cannot become ${showShape(shape)}`,
      'Give lengths whose product is the same.',
      { from: tensor.shape, to: shape },
    );
  return resolved;
}
