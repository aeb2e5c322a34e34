// gelu, both forms, forward and backward, against float64.
import { describe, it } from 'vitest';
import { referenceGelu, referenceRandom } from '@limn/testing';
import { gelu } from '../../src/index.js';
import { checkOp } from '../check-op.js';

const random = referenceRandom(3);

describe('gelu', () => {
  for (const form of ['tanh', 'erf'] as const)
    for (const count of [1, 63, 64, 68, 997, 1040])
      // One, four and, on software adapters, sixteen numbers a lane.
      it(`${form} of ${count}`, async () => {
        // Wide enough to reach both tails, where exp underflows and where gelu(x) = x.
        const x = random.normals(count, 5);
        await checkOp({
          kernel: 'gelu',
          case: `${form} ${count}`,
          inputs: [{ shape: [count], values: x }],
          run: (step, [t]) => gelu(step, t!, form),
          expected: referenceGelu.geluForward(x, form),
          n: 1,
          // exp is allowed (3 + 2 |argument|) ULP; where it matters, |argument| ≤ 2. erf adds 1.5e-7 = 2.5 units of its own.
          c: 10,
          vjp: (seed) => [referenceGelu.geluVjp(x, form, seed)],
          vjpC: 10,
        });
      });
});
