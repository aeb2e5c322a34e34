// Program 4: a replaced MLP with frozen attention patterns and LayerNorm scales: gradients then follow only the paths of a linear circuit.
import {
  fillNormal,
  fromData,
  gradients,
  matmul,
  mul,
  readFloats,
  relu,
  sub,
  sumAll,
  type Tensor,
  add,
} from '@limn/tensor';
import { expect, test } from 'vitest';
import { freeze, replaceMlp, tokenBatch, type Intervention } from '../../src/index.js';
import { apart, toy } from '../toy.js';

test('a replaced MLP with frozen pattern and LayerNorm scale', async () => {
  const model = await toy();
  const { width: C } = model.info;
  const step = model.gpu.step();
  const weights = (stream: number, rows: number, columns: number): Tensor =>
    fromData(step, fillNormal(new Float32Array(rows * columns), { seed: 4, stream }, 0.3), [rows, columns]);
  const [encoder, decoder] = [weights(0, C, 20), weights(1, 20, C)];
  const transcoder = {
    label: 'a transcoder',
    input: 'ln2.hook_normalized' as const,
    apply: (s: typeof step, x: Tensor) => matmul(s, relu(s, matmul(s, x, encoder)), decoder),
  };
  const frozen: Intervention[] = [0, 1].flatMap((l): Intervention[] => [
    freeze(`blocks.${l}.attn.hook_pattern`),
    freeze(`blocks.${l}.ln1.hook_scale`),
    freeze(`blocks.${l}.ln2.hook_scale`),
    replaceMlp(l, transcoder),
  ]);
  const interventions = [...frozen, freeze('ln_final.hook_scale')];
  const tokens = tokenBatch([[1, 4, 7, 2, 9]], model.info);
  const embedded = model.embed(step, tokens);
  const direction = fromData(
    step,
    fillNormal(new Float32Array(embedded.size), { seed: 4, stream: 2 }, 1e-3),
    embedded.shape,
  );
  const loss = (logits: Tensor): Tensor =>
    sumAll(
      step,
      mul(
        step,
        logits,
        fromData(
          step,
          Float32Array.from({ length: 13 }, (_, v) => Math.cos(v)),
          [13],
        ),
      ),
    );
  const run = (embeddings: Tensor, extra: readonly Intervention[]) =>
    model.run(step, { embeddings, lengths: [5] }, { interventions: extra, capture: ['hook_embed'], logits: 'last' });
  const base = run(embedded, interventions);
  const [slope] = gradients(step, loss(base.logits), 'ones', [base.at('hook_embed')]);
  const predicted = readFloats(step, sumAll(step, mul(step, slope as Tensor, direction)));
  const moved = readFloats(
    step,
    sub(
      step,
      loss(run(add(step, embedded, direction), [replaceMlp(0, transcoder), replaceMlp(1, transcoder)]).logits),
      loss(base.logits),
    ),
  );
  const open = run(embedded, [replaceMlp(0, transcoder), replaceMlp(1, transcoder)]);
  const [openSlope] = gradients(step, loss(open.logits), 'ones', [open.at('hook_embed')]);
  const openPredicted = readFloats(step, sumAll(step, mul(step, openSlope as Tensor, direction)));
  const [values, openValues] = await Promise.all([base, open].map((each) => readFloats(step, each.logits)));
  // Looking at the pattern switches the fused kernel off: the same numbers up to f32 rounding of values near 7.
  expect(apart(values as Float32Array, openValues as Float32Array)).toBeLessThan(1e-5);
  expect(base.fired).toBe(9);
  const [frozenSlope, wholeSlope, actual] = [
    (await predicted)[0] as number,
    (await openPredicted)[0] as number,
    (await moved)[0] as number,
  ];
  // The open gradient predicts the real change to first order in a step of 1e-3; the frozen one leaves out pattern and scale.
  expect(Math.abs(wholeSlope - actual)).toBeLessThan(0.05 * Math.abs(actual));
  expect(Math.abs(frozenSlope - wholeSlope)).toBeGreaterThan(0.05 * Math.abs(wholeSlope));
});
