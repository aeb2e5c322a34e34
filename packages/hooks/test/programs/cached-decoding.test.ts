// Program 5: cached decoding with an edit limited to some positions, of the prompt and behind it, equals running the whole text each time.
import { fillNormal, persistent, readWords, topK } from '@limn/tensor';
import { expect, test } from 'vitest';
import { add, generate, tokenBatch } from '../../src/index.js';
import { toy } from '../toy.js';

test('cached decoding with an edit limited to some positions', async () => {
  const model = await toy();
  const vector = persistent(
    model.gpu,
    [model.info.width],
    fillNormal(new Float32Array(model.info.width), { seed: 2 }, 2),
  );
  const edit = add('blocks.0.hook_resid_post', vector, { positions: [1, 5, 7] });
  const prompts = [
    [1, 4, 7],
    [2, 2, 8],
    [3, 5, 6, 9],
  ];
  const options = { maxNewTokens: 5, interventions: [edit] };
  const { tokens, neverFired } = await generate(model, prompts, options);
  expect(neverFired).toEqual([]);
  for (const [r, prompt] of prompts.entries()) {
    const whole = [...prompt];
    for (let n = 0; n < 5; n++) {
      const step = model.gpu.step();
      const { logits } = model.run(
        step,
        { tokens: tokenBatch([whole], model.info) },
        { interventions: [edit], logits: 'last' },
      );
      whole.push((await readWords(step, topK(step, logits, 1).indices))[0] as number);
    }
    expect(tokens[r]).toEqual(whole);
  }
  const plain = await generate(model, prompts, { maxNewTokens: 5 });
  expect(plain.tokens).not.toEqual(tokens);
  const late = add('blocks.0.hook_resid_post', vector, { positions: [99] });
  expect((await generate(model, prompts, { ...options, interventions: [late] })).neverFired).toEqual([late.label]);
  const behind = add('blocks.0.hook_resid_post', vector, { phase: 'generated' });
  const first = (rows: readonly (readonly number[])[]) => rows.map((row, r) => row[prompts[r]?.length as number]);
  const edited = await generate(model, prompts, { ...options, interventions: [behind] });
  expect(first(edited.tokens)).toEqual(first(plain.tokens));
  expect(edited.tokens).not.toEqual(plain.tokens);
});
