// The HookedModel contract on an architecture that is not GPT-2.
import { hookedModelContract, testGpu, ToyModel } from '@limn/testing';
import { describe, test } from 'vitest';

describe('a toy with rotary positions, parallel blocks and [out, in] weights keeps the HookedModel contract', () => {
  let model: ToyModel | undefined;
  test.each(hookedModelContract)('$name', async ({ check }) => {
    model ??= new ToyModel(await testGpu(), {
      layers: 2,
      heads: 3,
      headWidth: 5,
      mlpWidth: 11,
      vocabulary: 13,
      maxPositions: 9,
    });
    await check(model);
  });
});
