// Which resamples a search's scores are summed over, so that a circuit can be selected again from them.
import { countEdges } from '@limn/attribution';
import { expect, it } from 'vitest';
import { planResamples } from '../src/stability.js';

const pairs = (count: number) =>
  Array.from({ length: count }, (_, id) => ({ clean: [id], corrupted: [1], correct: [2], incorrect: [3] }));
const small = countEdges({ layers: 12, heads: 12, block: 'sequential' });
const large = countEdges({ layers: 36, heads: 20, block: 'sequential' });

it.each([
  // The sums take the same memory for any number of pairs.
  [{}, { resamples: { count: 100 } }],
  [{ pairs: pairs(5000), shardSize: 16 }, { resamples: { count: 100 } }],
  [{ method: 'exact' as const }, { resamples: { count: 100 } }],
  [{ edges: large }, { resamples: { count: 41 } }],
  [{ edges: 2 ** 22 }, { missing: 'of 4194304 edges only 8 resamples have room' }],
  [{ pairs: pairs(1) }, { missing: 'one pair cannot be resampled' }],
  [{ pairs: [...pairs(1), ...pairs(1)] }, { missing: 'the 2 pairs are one and the same' }],
  [{ method: 'learned-masks' as const }, { missing: 'masks are learnt from all pairs together' }],
  [{ unit: 'node' as const }, { missing: 'it is known for choices of edges only' }],
  [{ edges: large, pairs: pairs(64), shardSize: 64 }, { missing: expect.stringContaining('198 MiB in a shard') }],
  [{ edges: large, pairs: pairs(20), shardSize: 64 }, { resamples: { count: 41 } }],
])('%j', (request, wanted) => {
  expect(planResamples({ method: 'eap', pairs: pairs(32), edges: small, ...request })).toEqual(wanted);
});
