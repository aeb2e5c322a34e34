// The tape: diamonds, reuse, captured sites, pruning counted in dispatches, several outputs, depth, and what is refused.
import { describe, expect, it } from 'vitest';
import { dryGpu, type Gpu, type Step } from '@limn/gpu';
import { testGpu } from '@limn/testing';
import {
  add,
  defineOp,
  detach,
  exp,
  fill,
  fromData,
  gradients,
  identity,
  keep,
  mul,
  neg,
  persistent,
  read,
  readFloats,
  reshape,
  scale,
  split,
  sub,
  sum,
  sumAll,
  type Tensor,
} from '../src/index.js';

const list = async (step: Step, ...tensors: readonly (Tensor | undefined)[]): Promise<number[][]> =>
  (await Promise.all(tensors.map((tensor) => read(step, tensor as Tensor)))).map((values) => [...values]);

/** Dispatches that `work` records. */
function dispatchesOf(step: Step, work: () => void): number {
  const before = step.plan().dispatches;
  work();
  return step.plan().dispatches - before;
}

describe('gradients', () => {
  it('adds both arms of a diamond, and every use of one tensor', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [2, 3], [2]);
    const left = mul(step, x, x);
    const right = scale(step, x, 5);
    const y = add(step, mul(step, left, right), add(step, left, x));
    // y = 5 x³ + x² + x.
    const [dx] = gradients(step, y, 'ones', [x]);
    expect(await list(step, dx)).toEqual([[15 * 4 + 4 + 1, 15 * 9 + 6 + 1]]);
  });

  it('accumulates many contributions without touching what others hold', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 10], [2]);
    const seed = fromData(step, [1, 2], [2]);
    // add() hands its own gradient to both inputs: x and z share memory until x gets more.
    const z = neg(step, x);
    let y = add(step, x, z);
    for (let use = 0; use < 6; use += 1) y = add(step, y, x);
    const [dx, dz] = gradients(step, y, seed, [x, z]);
    expect(await list(step, dx, dz, seed)).toEqual([
      [6, 12],
      [1, 2],
      [1, 2],
    ]);
  });

  it('gives captured sites their own branch, not the sum over branches', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const resid = fromData(step, [1, 2], [2]);
    const attention = identity(resid, 'attention input');
    const mlp = identity(resid, 'mlp input');
    const out = add(step, add(step, resid, scale(step, attention, 3)), scale(step, mlp, 10));
    const grads = gradients(step, out, 'ones', [attention, mlp, resid]);
    expect(await list(step, ...grads)).toEqual([
      [3, 3],
      [10, 10],
      [14, 14],
    ]);
  });

  it('never adds to a finished sum that a view passed on', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const resid = fromData(step, [1, 2], [2]);
    const early = add(step, scale(step, resid, 10), scale(step, resid, 20));
    // Two uses make the site's gradient a sum of the tape's own; the earlier uses of resid come later and must not land in it.
    const site = identity(resid, 'site');
    const branch = add(step, scale(step, site, 2), scale(step, site, 3));
    const out = add(step, branch, early);
    const grads = gradients(step, out, 'ones', [site, resid]);
    expect(await list(step, ...grads)).toEqual([
      [5, 5],
      [35, 35],
    ]);
  });

  it('passes through identity and reshape without a copy', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 2, 3, 4, 5, 6], [2, 3]);
    const seed = fromData(step, [6, 5, 4, 3, 2, 1], [6]);
    const y = reshape(identity(x, 'site'), [-1]);
    expect(y.storage).toBe(x.storage);
    const [dx] = gradients(step, y, seed, [x]) as [Tensor];
    expect(dx.storage).toBe(seed.storage);
    expect(dx.shape).toEqual([2, 3]);
    expect(gradients(step, identity(x, 'site'), x, [x])[0]?.storage).toBe(x.storage);
  });

  it('stops at detach and at tensors kept from another step', async () => {
    const gpu = await testGpu();
    const first = gpu.step();
    const x = persistent(gpu, [2], Float32Array.of(1, 2));
    const early = exp(first, x);
    const kept = keep(first, early);
    await first.submit();
    using step = gpu.step();
    const y = mul(step, kept, x);
    expect(kept.node).toBeUndefined();
    const [dx] = gradients(step, y, 'ones', [x]);
    const throughDetach = () => gradients(step, detach(exp(step, x)), 'ones', [x]);
    expect(throughDetach).toThrow(expect.objectContaining({ code: 'tensor/no-path' }));
    // The original handle lives on in the other step, where it counts as a leaf as well.
    expect(() => gradients(step, mul(step, early, early), 'ones', [x])).toThrow(/no differentiable path/);
    expect((await list(step, dx))[0]).toEqual(
      [Math.fround(Math.E), Math.fround(Math.E ** 2)].map((v) => expect.closeTo(v, 5)),
    );
    kept.dispose();
    x.dispose();
  });

  it('reaches through a view of a parameter made outside any step', async () => {
    const gpu = await testGpu();
    const weight = persistent(gpu, [4], Float32Array.of(1, 2, 3, 4));
    const matrix = reshape(weight, [2, 2]);
    for (let run = 0; run < 2; run += 1) {
      using step = gpu.step();
      const [dw] = gradients(step, sumAll(step, mul(step, matrix, matrix)), 'ones', [weight]);
      expect(await list(step, dw)).toEqual([[2, 4, 6, 8]]);
    }
    weight.dispose();
  });

  it('takes several roots with their own seeds', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1, 2], [2]);
    const roots = [scale(step, x, 3), neg(step, x), x];
    const [dx] = gradients(step, roots, ['ones', fromData(step, [10, 20], [2]), fromData(step, [100, 200], [2])], [x]);
    expect(await list(step, dx)).toEqual([[93, 183]]);
  });

  it('is not changed by deep chains', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const x = fromData(step, [1], [1]);
    let y = x;
    for (let depth = 0; depth < 20_000; depth += 1) y = identity(y, 'deep');
    for (let depth = 0; depth < 300; depth += 1) y = neg(step, y);
    expect(await list(step, ...gradients(step, y, 'ones', [x]))).toEqual([[1]]);
  });

  it('works on ops with several outputs of which only some are used', async () => {
    const gpu = await testGpu();
    using step = gpu.step();
    const seen: boolean[][] = [];
    const sumAndDifference = defineOp({
      name: 'sumAndDifference',
      forward: (inner, [a, b]: readonly [Tensor, Tensor]) => ({
        outputs: [detach(add(inner, a, b)), detach(sub(inner, a, b))],
        saved: undefined,
      }),
      vjp(inner, { inputs: [a] }, [ds, dd], wanted) {
        seen.push([ds !== undefined, dd !== undefined, ...wanted]);
        const zero = fill(inner, a.shape, 0);
        return [
          wanted[0] ? add(inner, ds ?? zero, dd ?? zero) : undefined,
          wanted[1] ? sub(inner, ds ?? zero, dd ?? zero) : undefined,
        ];
      },
    });
    const a = fromData(step, [1], [1]);
    const b = fromData(step, [2], [1]);
    const [plus, minus] = sumAndDifference(step, [a, b], undefined);
    const first = gradients(step, scale(step, minus, 7), 'ones', [a, b]);
    const second = gradients(step, add(step, plus, minus), 'ones', [b]);
    expect(await list(step, ...first, ...second)).toEqual([[7], [-7], [0]]);
    expect(seen).toEqual([
      [false, true, true, true],
      [true, true, false, true],
    ]);
  });
});

describe('pruning', () => {
  it('computes only what leads to a target', async () => {
    const gpu = dryGpu();
    const step = gpu.step();
    const x = fromData(step, new Float32Array(6), [2, 3]);
    const w = fromData(step, new Float32Array(6), [2, 3]);
    const hidden = mul(step, exp(step, x), w);
    const loss = sumAll(step, hidden);
    // seed, sum backward, dy · b for one side (and exp backward for x).
    expect(dispatchesOf(step, () => gradients(step, loss, 'ones', [w]))).toBe(3);
    expect(dispatchesOf(step, () => gradients(step, loss, 'ones', [x]))).toBe(4);
    expect(dispatchesOf(step, () => gradients(step, loss, 'ones', [x, w]))).toBe(5);
    expect(dispatchesOf(step, () => gradients(step, loss, 'ones', [hidden]))).toBe(2);
    // A root that cannot reach a target costs nothing, not even its seed.
    const aside = exp(step, w);
    expect(dispatchesOf(step, () => gradients(step, [loss, aside], 'ones', [x]))).toBe(4);
  });

  it('skips branches between root and target that do not carry it', () => {
    const step = dryGpu().step();
    const x = fromData(step, new Float32Array(4), [4]);
    let side = fromData(step, new Float32Array(4), [4]);
    for (let depth = 0; depth < 10; depth += 1) side = exp(step, side);
    const y = mul(step, x, side);
    expect(dispatchesOf(step, () => gradients(step, y, 'ones', [x]))).toBe(2);
  });
});

describe('what gradients refuses', () => {
  const setup = (gpu: Gpu) => {
    const step = gpu.step();
    const x = fromData(step, [1, 2], [2], { label: 'x' });
    const other = fromData(step, [1, 2], [2], { label: 'other' });
    return { step, x, other, y: exp(step, x) };
  };

  it('a target without a path, by name; or zeros when asked for', async () => {
    const { step, other, y } = setup(await testGpu());
    expect(() => gradients(step, y, 'ones', [other])).toThrow(
      /no differentiable path leads from 'exp' \[2\] to 'other' \[2\]/,
    );
    expect(() => gradients(step, y, 'ones', [other])).toThrow(expect.objectContaining({ code: 'tensor/no-path' }));
    const [zeros] = gradients(step, y, 'ones', [other], { missing: 'zeros' });
    expect(await list(step, zeros)).toEqual([[0, 0]]);
  });

  it('seeds of another shape or number, and whole numbers', () => {
    const { step, x, y } = setup(dryGpu());
    expect(() => gradients(step, y, fromData(step, [1], [1]), [x])).toThrow(
      /the seed of 'exp' \[2\] has shape \[1\], expected \[2\]/,
    );
    expect(() => gradients(step, [y, y], ['ones'], [x])).toThrow(/2 roots but 1 seeds/);
    const ids = fromData(step, Uint32Array.of(1), [1], { label: 'ids' });
    expect(() => gradients(step, y, 'ones', [ids])).toThrow(/'ids' \[1\] holds whole numbers/);
  });

  it('tensors of another step, by the name the step gives', () => {
    const gpu = dryGpu();
    const one = gpu.step({ label: 'one' });
    const two = gpu.step({ label: 'two' });
    expect(() => exp(two, fromData(one, [1], [1]))).toThrow(expect.objectContaining({ code: 'gpu/other-step' }));
  });

  it('a vjp that returns a gradient of the wrong shape', () => {
    const { step, x } = setup(dryGpu());
    const broken = defineOp({
      name: 'broken',
      forward: (inner, [a]: readonly [Tensor]) => ({ outputs: [fill(inner, a.shape, 0)], saved: undefined }),
      vjp: (inner) => [fill(inner, [7], 1)],
    });
    const [y] = broken(step, [x], undefined);
    expect(() => gradients(step, y, 'ones', [x])).toThrow(
      /broken \(backward\): the gradient of input 0 has shape \[7\], expected \[2\]/,
    );
  });
});

describe('tensors', () => {
  it('refuse shapes that do not fit their data', () => {
    const gpu = dryGpu();
    const step = gpu.step();
    expect(() => fromData(step, [1, 2, 3], [2])).toThrow(/3 values were given for shape \[2\], which takes 2/);
    expect(() => fromData(step, [], [0])).toThrow(/not a positive whole number/);
    expect(() => reshape(fromData(step, [1, 2, 3], [3]), [2, -1])).toThrow(/cannot become \[2, -1\]/);
    expect(() => fill(step, [70_000, 70_000], 0)).toThrow(/more than 4294967295/);
    expect(reshape(fromData(step, [1, 2, 3, 4], [4]), [2, -1]).shape).toEqual([2, 2]);
  });
});

describe('steady state', () => {
  it('a repeated forward and backward pass creates nothing and has the same bits', async () => {
    const gpu = await testGpu();
    const w = persistent(
      gpu,
      [64, 48],
      Float32Array.from({ length: 64 * 48 }, (_, i) => Math.sin(i)),
    );
    const run = async (factor: number) => {
      using step = gpu.step();
      const x = fromData(
        step,
        Float32Array.from({ length: 64 * 48 }, (_, i) => Math.cos(i)),
        [64, 48],
      );
      const [left, right] = split(step, mul(step, x, w), 1, [16, 32]) as readonly [Tensor, Tensor];
      const loss = add(step, sumAll(step, exp(step, left)), sum(step, scale(step, right, factor)));
      const [dw] = gradients(step, loss, 'ones', [w]) as [Tensor];
      return Promise.all([readFloats(step, loss), readFloats(step, dw)]);
    };
    const first = await run(2);
    const before = gpu.counters.snapshot();
    const second = await run(2);
    // A number that scales is a uniform: it makes no new plan.
    const third = await run(3);
    const after = gpu.counters.snapshot();
    expect(second).toEqual(first);
    expect(third[0]).not.toEqual(first[0]);
    for (const name of ['buffersCreated', 'bindGroupsCreated', 'pipelinesCreated', 'plansCreated'] as const)
      expect([name, after[name] - before[name]]).toEqual([name, 0]);
    expect(after.submits - before.submits).toBe(2);
    w.dispose();
  });
});
