// y[o, …] = mask[o] ≠ 0 ? a[o, …] : b[o, …]: whole rows of one tensor or the other, bit-exact.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { defineOp } from '../define-op.js';
import { perElement } from '../grid.js';
import { expectShape } from '../shape.js';
import { allocate, expectDType, type Tensor } from '../tensor.js';

const selectKernel = defineKernel(shaders.selectRows, { grid: perElement, work: (u) => u.size });
const maskKernel = defineKernel(shaders.maskRows, { grid: perElement, work: (u) => u.size });

const selectRowsOp = defineOp({
  name: 'selectRows',
  forward(step, [mask, a, b]: readonly [mask: Tensor, a: Tensor, b: Tensor]) {
    const y = allocate(step, a.shape, 'selectRows');
    const bindings = { mask: mask.storage, a: a.storage, b: b.storage, y: y.storage };
    step.dispatch(selectKernel, bindings, { size: y.size, inner: y.size / mask.size });
    return { outputs: [y], saved: undefined };
  },
  vjp(step, { inputs: [mask, a] }, [dy], [, wantA, wantB]) {
    const part = (keep: number) => {
      if (!dy) return undefined;
      const dx = allocate(step, a.shape, 'selectRows (backward)');
      const bindings = { mask: mask.storage, x: dy.storage, y: dx.storage };
      step.dispatch(maskKernel, bindings, { size: dx.size, inner: dx.size / mask.size, keep });
      return dx;
    };
    return [undefined, wantA ? part(1) : undefined, wantB ? part(0) : undefined];
  },
});

/**
 * Rows of `a` where the mask is not 0, rows of `b` elsewhere. mask is u32 and shaped as the leading axes of a and b:
 * mask [B, T] chooses among positions of [B, T, C]. Values are copied, so what is not chosen may even be NaN.
 * @throws LimnError `tensor/dtype`, `tensor/shape`
 */
export function selectRows(step: Step, mask: Tensor, a: Tensor, b: Tensor): Tensor {
  expectDType('selectRows', mask, ['u32'], 'mask');
  expectDType('selectRows', a, ['f32'], 'the first choice');
  expectDType('selectRows', b, ['f32'], 'the second choice');
  expectShape('selectRows', 'the second choice', b.shape, a.shape);
  expectShape('selectRows', 'mask', mask.shape, a.shape.slice(0, mask.shape.length));
  return selectRowsOp(step, [mask, a, b], undefined)[0];
}
