// Models of one head a layer, of one layer: where a sublayer is a single node, every scorer is still the float64 reference's.
import { referenceEap } from '@limn/testing';
import { describe, expect, it } from 'vitest';
import {
  cleanCorrupted,
  eap,
  eapIgActivations,
  eapIgInputs,
  exactEdges,
  buildGraph,
  logitDiff,
  scoreNodes,
  type Scores,
} from '../src/index.js';
import { awkwardPairs, gpt2Of } from './models.js';

const { eapActivationScores, eapPath, eapScores, exactScores, randomModel } = referenceEap;

describe.each([1, 2])('%i layers of one head', (layers) => {
  const sizes = { layers, heads: 1, width: 10, headWidth: 10, mlpWidth: 7, vocabulary: 23, positions: 5 };
  const reference = randomModel(sizes, 5);
  const pairs = awkwardPairs(3, sizes);
  const graph = buildGraph({ ...sizes, block: 'sequential' });

  it('every scorer', async () => {
    const model = await gpt2Of(reference);
    const options = { metric: logitDiff, steps: 2 };
    const close = ({ values }: Scores, want: Float64Array, what: string): void => {
      const largest = Math.max(...want.filter((x) => !Number.isNaN(x)).map(Math.abs));
      for (const { u, v } of graph.edges()) {
        const i = graph.dense(u, v);
        // Sums of some fifty products in f32; exact patching subtracts losses of about 5, whose last place is 5e-7.
        expect(Math.abs((values[i] as number) - (want[i] as number)), `${what} ${graph.edgeName(u, v)}`).toBeLessThan(
          1e-5 * largest + (what === 'exact' ? 1e-6 : 0),
        );
      }
    };
    const of = (path: ReturnType<typeof eapPath>) => eapScores(reference, pairs, 'logit-diff', path);
    const plain = await eap(model, pairs, options);
    close(plain, of(eapPath(1, 'right')), 'eap');
    close(await eapIgInputs(model, pairs, options), of(eapPath(2, 'left')), 'eap-ig-inputs');
    close(await cleanCorrupted(model, pairs, options), of(eapPath(1, 'trapezoid')), 'clean-corrupted');
    const moved = eapActivationScores(reference, pairs, 'logit-diff', eapPath(2, 'right'), 'patch');
    close(await eapIgActivations(model, pairs, options), moved, 'eap-ig-activations');
    close(await exactEdges(model, pairs, options), exactScores(reference, pairs, 'logit-diff'), 'exact');

    // A node's score is the sum over what reads it, and the sum of its neurons'.
    const { values, neurons } = await scoreNodes(model, pairs, {
      metric: logitDiff,
      method: 'eap',
      neurons: true,
    });
    for (let u = 0; u < graph.nForward; u++) {
      const edges = [...graph.edges()].filter((edge) => edge.u === u);
      const total = edges.reduce((sum, { v }) => sum + (plain.values[graph.dense(u, v)] as number), 0);
      expect(values[u]).toBeCloseTo(total, 5);
      const own = neurons?.subarray(u * sizes.width, (u + 1) * sizes.width);
      expect(own?.reduce((a, b) => a + b, 0)).toBeCloseTo(total, 5);
    }
    model.dispose();
  });
});
