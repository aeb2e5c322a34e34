// When the scores of single pairs are kept, so that a circuit can be selected again from resampled ones.
import { expect, it } from 'vitest';
import { whyNoExamples } from '../src/stability.js';

/** GPT-2 small: 157 × 445 numbers of 4 bytes per pair, 279,460 bytes. */
const gpt2 = { nForward: 157, nBackward: 445 };

it.each([
  [{ pairs: 240 }, undefined],
  [{ pairs: 3, distinct: 1 }, 'the 3 pairs are one and the same'],
  [{ pairs: 241 }, 'scores of 241 single pairs would take 65 MiB, more than 64 MiB'],
  [{ pairs: 1, distinct: 1 }, 'one pair cannot be resampled'],
  [{ method: 'exact' as const }, 'exact patching keeps no scores of single pairs'],
  [{ method: 'learned-masks' as const }, 'masks are learnt from all pairs together'],
  [{ unit: 'node' as const }, 'it is known for choices of edges only'],
  [{ sharded: true }, 'shards keep no scores of single pairs'],
])('%j', (request, reason) => {
  expect(whyNoExamples({ method: 'eap', pairs: 32, distinct: 32, sharded: false, graph: gpt2, ...request })).toBe(
    reason,
  );
});
