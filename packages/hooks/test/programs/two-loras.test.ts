// Program 3: two LoRAs on different rows of one batch, trained in one step; each learns from its own rows only.
import {
  adamw,
  crossEntropy,
  fillNormal,
  fromData,
  gatherRows,
  gradients,
  persistent,
  readFloats,
  reshape,
  sumAll,
} from '@limn/tensor';
import { expect, test } from 'vitest';
import { tokenBatch, withAdapter, type LowRank } from '../../src/index.js';
import { toy } from '../toy.js';

test('two LoRAs with different rows in one training step', async () => {
  const model = await toy();
  const { gpu } = model;
  const linear = model.linears().find(({ name }) => name === '0.in');
  if (!linear) throw new Error('the toy has no linear map 0.in');
  const lora = (stream: number): LowRank => {
    const a = persistent(
      gpu,
      [linear.inWidth, 2],
      fillNormal(new Float32Array(linear.inWidth * 2), { seed: 9, stream }, 0.3),
    );
    return { linear, a, b: persistent(gpu, [2, linear.outWidth]), factor: 2 };
  };
  const pair = [lora(0), lora(1)] as const;
  const optimiser = adamw(
    gpu,
    pair.map(({ a, b }, i) => ({
      name: `lora ${i}`,
      rate: 0.05,
      params: [
        { name: `${i}.a`, tensor: a },
        { name: `${i}.b`, tensor: b },
      ],
    })),
  );
  const tokens = tokenBatch(
    [
      [1, 2, 3],
      [1, 2, 3],
      [4, 5, 6],
      [4, 5, 6],
    ],
    model.info,
  );
  const targets = Uint32Array.of(7, 7, 8, 8);
  const update = async (loseRows: readonly number[]): Promise<Float32Array> => {
    const step = gpu.step();
    const interventions = [
      ...withAdapter('one', [pair[0]], { rows: [0, 2] }),
      ...withAdapter('two', [pair[1]], { rows: [1, 3] }),
    ];
    const { logits } = model.run(step, { tokens }, { interventions, logits: 'last' });
    const losses = crossEntropy(step, logits, fromData(step, targets, [4]));
    const counted = gatherRows(
      step,
      reshape(losses, [4, 1]),
      fromData(step, Uint32Array.from(loseRows), [loseRows.length]),
    );
    optimiser.step(step, gradients(step, sumAll(step, counted), 'ones', optimiser.tensors));
    return readFloats(step, losses);
  };
  const [first, before] = [await gpu.read(pair[0].b.storage, 'f32'), await update([0, 2])];
  // Only rows of the first adapter were in the loss: the second adapter's gradient is zero, and Adam moves nothing by zero.
  expect([...(await gpu.read(pair[1].b.storage, 'f32'))]).toEqual([...first]);
  expect([...(await gpu.read(pair[0].b.storage, 'f32'))]).not.toEqual([...first]);
  expect([...before.subarray(0, 1)]).toEqual([...before.subarray(1, 2)]);
  for (let i = 0; i < 10; i++) await update([0, 1, 2, 3]);
  const after = await update([0, 1, 2, 3]);
  for (const row of [0, 1, 2, 3]) expect(after[row]).toBeLessThan((before[row] as number) - 0.1);
  expect(after[0]).not.toBe(after[1]);
});
