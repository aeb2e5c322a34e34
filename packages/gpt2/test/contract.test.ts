// The HookedModel contract on GPT-2 with awkward sizes: 3 heads of 24, an odd vocabulary, both heads tied and untied.
import { hookedModelContract, testGpu } from '@limn/testing';
import { describe, test } from 'vitest';
import { randomGpt2, type Gpt2 } from '../src/index.js';

describe('GPT-2 keeps the HookedModel contract', () => {
  let model: Gpt2 | undefined;
  test.each(hookedModelContract)('$name', async ({ check }) => {
    model ??= await randomGpt2(
      await testGpu(),
      {
        layers: 2,
        heads: 3,
        width: 72,
        mlpWidth: 50,
        vocabulary: 101,
        maxPositions: 17,
        initializerRange: 0.3,
        tied: false,
        gelu: 'erf',
      },
      5,
    );
    await check(model);
  });
});
