// How the kernels of LayerNorm and softmax are run against one another: a pass forward and one back over random rows.
import type { Gpu, Step } from '@limn/gpu';
import { randomUniformTensor } from '../random.js';
import { gradients } from '../tape.js';
import { keep, type Tensor } from '../tensor.js';
import type { Decision } from '../tuning/decision.js';
import { tunable, type TunableDecision } from '../tuning/trial.js';
import { fill } from '../untaped.js';
import { add } from './arithmetic.js';
import type { RowKernelName, RowShape } from './choose-rows.js';
import { layernorm } from './layernorm.js';
import { softmax } from './log-softmax.js';
import { layernormDecision, softmaxDecision } from './row-choice.js';

type RowOp = (step: Step, x: Tensor, kernel: RowKernelName) => Tensor;

function tunableRows(decision: Decision<RowShape, RowKernelName>, op: RowOp): TunableDecision {
  return tunable(decision, {
    work: ({ rows, width }) => 20 * rows * width,
    bytes: ({ rows, width }) => ({ largest: 4 * rows * width, all: 5 * 4 * rows * width }),
    // Values of about 1 after sums of `width` terms, whose roundings add up like √width, and an exp that may be 17 units off.
    tolerance: ({ width }) => 8 * (17 + Math.sqrt(width)) * 2 ** -24,
    async open(gpu: Gpu, { rows, width }) {
      using made = gpu.step({ label: 'rows' });
      const random = (stream: number): Tensor =>
        keep(made, randomUniformTensor(made, [rows, width], { seed: 1, stream }));
      const [x, dy] = [random(0), random(1)];
      await made.submit();
      return {
        record(step, kernel) {
          const y = op(step, x, kernel);
          const [dx] = gradients(step, y, dy, [x]) as [Tensor];
          return add(step, y, dx);
        },
        dispose() {
          x.dispose();
          dy.dispose();
        },
      };
    },
  });
}

/** The kernel of layernorm can be measured; also of other rows than limn's models have. */
export const tunableLayernorm = (decision = layernormDecision): TunableDecision =>
  tunableRows(decision, (step, x, kernel) => {
    const width = x.shape.at(-1) as number;
    return layernorm(step, x, fill(step, [width], 1), fill(step, [width], 0), 1e-5, { kernel });
  });

/** The kernel of softmax can be measured; also of other rows than limn's models have. */
export const tunableSoftmax = (decision = softmaxDecision): TunableDecision =>
  tunableRows(decision, (step, x, kernel) => softmax(step, x, { kernel }));
