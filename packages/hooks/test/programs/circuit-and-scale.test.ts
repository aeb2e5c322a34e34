// Program 2: a circuit and a scale in one run. The circuit is interventions that read earlier nodes of the same run, so they compose.
import { readFloats, reshape, slice, sub, type Tensor, add } from '@limn/tensor';
import { expect, test } from 'vitest';
import { intervene, scale, tokenBatch, type Intervention } from '../../src/index.js';
import { apart, toy } from '../toy.js';

test('a circuit plus a scale in one run', async () => {
  const model = await toy();
  const [clean, corrupted] = [[[1, 4, 7, 2, 9]], [[1, 4, 3, 2, 9]]].map((rows) => tokenBatch(rows, model.info));
  const step = model.gpu.step();
  const [source, mlpOut] = ['blocks.0.attn.hook_result', 'blocks.0.hook_mlp_out'] as const;
  const other = model.run(step, { tokens: corrupted! }, { capture: [source, mlpOut, 'hook_embed'], logits: 'none' });
  const ofHead = (results: Tensor, head: number): Tensor =>
    reshape(slice(step, results, 2, head, 1), [1, 5, model.info.width]);
  /** Cuts edges into an input: adds (corrupted − current) of every cut source. */
  const cut = (heads: readonly number[], mlp: boolean, embed: boolean): Intervention =>
    intervene(
      'blocks.1.hook_mlp_in',
      'circuit',
      (x, ctx) => {
        const current = ctx.at(source);
        let into = x;
        for (const head of heads)
          into = add(ctx.step, into, sub(ctx.step, ofHead(other.at(source), head), ofHead(current, head)));
        if (mlp) into = add(ctx.step, into, sub(ctx.step, other.at(mlpOut), ctx.at(mlpOut)));
        return embed ? add(ctx.step, into, sub(ctx.step, other.at('hook_embed'), ctx.at('hook_embed'))) : into;
      },
      { reads: [source, mlpOut, 'hook_embed'] },
    );
  const run = (tokens: typeof clean, ...interventions: Intervention[]) =>
    model.run(step, { tokens: tokens! }, { interventions, capture: ['blocks.1.hook_mlp_in', mlpOut], logits: 'last' });
  const halve = scale(mlpOut, 0.5);
  const everythingCut = run(clean, cut([0, 1, 2], true, true));
  const cutAndScaled = run(clean, halve, cut([0, 1, 2], true, true));
  const partly = run(clean, halve, cut([1], false, false));
  const reads = [everythingCut, cutAndScaled, run(corrupted)].map((each) =>
    readFloats(step, each.at('blocks.1.hook_mlp_in')),
  );
  const logits = [partly, run(clean, halve), run(clean, cut([1], false, false))].map((each) =>
    readFloats(step, each.logits),
  );
  const [cutInput, cutScaledInput, corruptedInput] = (await Promise.all(reads)) as [
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  // With every edge cut the input is the corrupted run's, whatever the scale did to a source that is cut: sums of six f32 terms.
  expect(apart(cutInput, corruptedInput)).toBeLessThan(1e-5);
  expect(apart(cutScaledInput, corruptedInput)).toBeLessThan(1e-5);
  const [both, scaleOnly, circuitOnly] = (await Promise.all(logits)) as [Float32Array, Float32Array, Float32Array];
  expect(Math.min(apart(both, scaleOnly), apart(both, circuitOnly))).toBeGreaterThan(1e-3);
});
