// How long vectors are beside activations, and steering by words: by what the test reads off the model itself.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { referenceEap } from '@limn/testing';
import { actAdd, evaluateSteering, prompting, relativeNorms, toRelativeNorm } from '../src/index.js';
import { captured, logitsOf } from './captured-activations.js';
import { examplesOf, gpt2Of, SIZES } from './models.js';

const W = SIZES.width;
const AT = 'blocks.1.hook_resid_pre';
let gpt2: Awaited<ReturnType<typeof gpt2Of>>;
beforeAll(async () => {
  gpt2 = await gpt2Of(referenceEap.randomModel(SIZES, 7));
});
afterAll(() => gpt2.dispose());

describe('relativeNorms', () => {
  it('is ‖v‖ over the median ‖h‖ of the tokens that take it; vectors can be brought to a share of it', async () => {
    const examples = examplesOf(3, { lengths: [5, 3] });
    const values = await actAdd(gpt2, [0, 3, 8, 1], [0, 5, 8, 2], 1, { skip: 1 });
    const norms = await relativeNorms(gpt2, examples, values);
    expect(norms).toHaveLength(3);
    const all = await Promise.all(examples.map(({ prompt }) => captured(gpt2, prompt, AT)));
    for (const { slot, norm, median, relative } of norms) {
      const own = values.places
        .get(AT)!
        .get('vector')!
        .subarray(slot * W, (slot + 1) * W);
      expect(norm).toBeCloseTo(Math.hypot(...own), 4);
      const sizes = all
        .flatMap((rows) => (slot + 1 < rows.length ? [Math.hypot(...rows[slot + 1]!)] : []))
        .sort((a, b) => a - b);
      expect(sizes).toHaveLength(slot === 2 ? 2 : 3);
      const middle = slot === 2 ? (sizes[0]! + sizes[1]!) / 2 : sizes[1]!;
      expect(median).toBeCloseTo(middle, 4);
      expect(relative).toBeCloseTo(norm / middle, 4);
    }
    const scaled = await relativeNorms(gpt2, examples, toRelativeNorm(values, norms, 0.25));
    for (const { relative } of scaled) expect(relative).toBeCloseTo(0.25, 5);
    const scalars = { ...values, spec: { ...values.spec, method: { kind: 'activ-scalar' } as const } };
    await expect(relativeNorms(gpt2, examples, scalars)).rejects.toMatchObject({ code: 'usage/steering-method' });
  });
});

describe('prompting', () => {
  const examples = examplesOf(2, { lengths: [4, 5] });

  it('puts words in front by the sign of the strength, and is measured against the untouched prompt', async () => {
    const steerer = prompting('words', { plus: [7, 7], minus: [9], at: 1 });
    const measured = await evaluateSteering(gpt2, steerer, examples, { strengths: [1, -2, 0] });
    for (const [i, { prompt, correct, wrong }] of examples.entries()) {
      const prompts = [[prompt[0]!, 7, 7, ...prompt.slice(1)], [prompt[0]!, 9, ...prompt.slice(1)], prompt];
      for (const [s, text] of prompts.entries()) {
        const logits = await logitsOf(gpt2, text);
        expect(measured[i]!.outcomes[s]!.delta).toBeCloseTo(logits[correct]! - logits[wrong]!, 4);
      }
      expect(measured[i]!.outcomes[2]!.bucket).toBeCloseTo(0, 5);
      expect(measured[i]!.outcomes[2]!.delta).toBeCloseTo(measured[i]!.untouchedDelta, 4);
    }
  });

  it('refuses places that are none', async () => {
    expect(() => prompting('words', { plus: [1], minus: [2], at: -1 })).toThrow(
      expect.objectContaining({ code: 'usage/steering-option' }) as Error,
    );
    const late = prompting('words', { plus: [1], minus: [2], at: 5 });
    await expect(evaluateSteering(gpt2, late, examples)).rejects.toMatchObject({ code: 'data/steering-prompt' });
  });
});
