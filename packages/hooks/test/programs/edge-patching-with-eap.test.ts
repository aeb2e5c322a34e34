// Program 1: score an edge by EAP, Σ (corrupted − clean)·∂L/∂input, and patch the same edge for real: Δ at one slot of one head.
import {
  gradients,
  mul,
  readFloats,
  slice,
  sub,
  sum,
  sumAll,
  gatherLogits,
  fromData,
  add,
  concat,
  type Tensor,
} from '@limn/tensor';
import { expect, test } from 'vitest';
import { intervene, tokenBatch } from '../../src/index.js';
import { toy } from '../toy.js';

test('edge patching with EAP: the score is the limit of the patched effect', async () => {
  const model = await toy();
  const [clean, corrupted] = [[[1, 4, 7, 2, 9]], [[1, 4, 3, 2, 9]]].map((rows) => tokenBatch(rows, model.info));
  const [source, slot] = ['blocks.0.attn.hook_result', 'blocks.1.hook_v_input'] as const;
  const [sourceHead, slotHead] = [0, 2];
  const step = model.gpu.step();
  const loss = (logits: Tensor): Tensor =>
    sumAll(
      step,
      gatherLogits(step, logits, fromData(step, Uint32Array.of(5, 8), [1, 2]), fromData(step, [1, -1], [1, 2])),
    );
  const a = model.run(step, { tokens: clean! }, { capture: [source, slot], logits: 'last' });
  const b = model.run(step, { tokens: corrupted! }, { capture: [source], logits: 'none' });
  const delta = sub(step, slice(step, b.at(source), 2, sourceHead, 1), slice(step, a.at(source), 2, sourceHead, 1));
  const [slope] = gradients(step, loss(a.logits), 'ones', [a.at(slot)]);
  const score = readFloats(step, sum(step, mul(step, delta, slice(step, slope as Tensor, 2, slotHead, 1))));
  const patched = (part: number) =>
    intervene(slot, 'patch one edge', (x, ctx) => {
      const heads = [0, 1, 2].map((head) => slice(ctx.step, x, 2, head, 1));
      heads[slotHead] = add(ctx.step, heads[slotHead] as Tensor, mul(ctx.step, delta, fromData(ctx.step, [part], [1])));
      return concat(ctx.step, heads, 2);
    });
  const effects = [1 / 16, -1 / 16].map((part) =>
    readFloats(
      step,
      loss(model.run(step, { tokens: clean! }, { interventions: [patched(part)], logits: 'last' }).logits),
    ),
  );
  const [up, down] = await Promise.all(effects);
  // A central difference over ±1/16 of the edge's Δ: the cubic term is below 1/256 of the effect's curvature.
  expect(8 * ((up?.[0] as number) - (down?.[0] as number))).toBeCloseTo((await score)[0] as number, 3);
  expect(Math.abs((await score)[0] as number)).toBeGreaterThan(0.005);
});
