// Gradient scores against what they approximate: for small changes of the input, every q, k and v slot agrees with patching it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpt2 } from '@limn/gpt2';
import { referenceEap, referenceRandom } from '@limn/testing';
import { buildGraph, eap, eapIgInputs, exactEdges, exactSweep, agreement, logitDiff } from '../src/index.js';
import type { Pair, Scores } from '../src/index.js';
import { AWKWARD, awkwardPairs, gpt2Of } from './models.js';
import { NO_POCKET, openPocket, POCKET } from './pocket.js';
import { generatePairs } from '@limn/tasks';

describe('every q, k and v slot of 3 heads of 24 against exact patching', () => {
  // Token embeddings that differ little: then the change of the loss is its first order, with a remainder in proportion.
  const random = referenceRandom(23);
  const sizes = { ...AWKWARD, positions: 11 };
  const base = referenceEap.randomModel(sizes, 12);
  const shared = random.normals(sizes.width);
  const near = random
    .normals(sizes.vocabulary * sizes.width, 0.02)
    .map((x, i) => Math.fround((shared[i % sizes.width] ?? 0) + x));
  const graph = buildGraph({ ...sizes, block: 'sequential' });
  const pairs: readonly Pair[] = awkwardPairs(12, sizes)
    .filter(({ clean }) => clean.length > 2)
    .slice(0, 8);
  let model: Gpt2;
  let scores: Scores;
  let exact: Scores;
  beforeAll(async () => {
    model = await gpt2Of({ ...base, embed: near });
    scores = await eap(model, pairs, { metric: logitDiff });
    exact = await exactEdges(model, pairs, { metric: logitDiff });
  });
  afterAll(() => model.dispose());

  it.each(['q', 'k', 'v'] as const)('%s', (input) => {
    expect(pairs).toHaveLength(8);
    for (let layer = 0; layer < sizes.layers; layer++) {
      const edges = Array.from({ length: sizes.heads }, (_, head) =>
        graph.backwardIndex({ kind: 'head', layer, head, input }),
      ).flatMap((v) => Array.from({ length: graph.prev(v) }, (_, u) => ({ u, v })));
      const [approximate, patched] = [scores, exact].map(({ values }) =>
        edges.map(({ u, v }) => values[graph.dense(u, v)] ?? Number.NaN),
      ) as [number[], number[]];
      const largest = Math.max(...patched.map(Math.abs));
      expect(largest).toBeGreaterThan(5e-5); // far above the 1e-6 of differences of f32 losses
      for (const [i, { u, v }] of edges.entries())
        // The remainder is in proportion to the change itself, two hundredths of the stream: 2 % here.
        expect(
          Math.abs((approximate[i] ?? Number.NaN) - (patched[i] ?? Number.NaN)),
          graph.edgeName(u, v),
        ).toBeLessThan(0.05 * largest);
    }
  });
});

describe('pocket', () => {
  it('EAP-IG agrees with exact patching on 8 held-out pairs, at q, k and v alike', async (context) => {
    context.skip(!POCKET, NO_POCKET);
    const model = await openPocket();
    const pairs = generatePairs('ioi', { seed: 5, n: 8, split: 'held-out' });
    const scores = await eapIgInputs(model, pairs, { metric: logitDiff, steps: 5, rule: 'midpoint' });
    const [exact] = (await exactSweep(model, pairs, { metrics: [logitDiff] })) as [Scores];
    const { graph } = exact;
    for (const input of ['q', 'k', 'v'] as const) {
      const only = ({ values }: Scores): Scores => ({
        graph,
        values: values.map((x, i) => {
          const slot = graph.slots[i % graph.nBackward];
          return slot?.kind === 'head' && slot.input === input ? x : Number.NaN;
        }),
      });
      // The paper finds r = .88 to .98 with the absolute scores of GPT-2's tasks; here they are .95 to .999; a swapped slot has none.
      expect(agreement(only(scores), only(exact)).pearson ?? 0, input).toBeGreaterThan(0.85);
    }
    model.dispose();
  });
});
