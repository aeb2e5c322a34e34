// The float64 reference itself, before it judges any kernel: golden values, finite differences, and the identities of the method.
import { describe, expect, it } from 'vitest';
import { referenceEap } from '@limn/testing';
import { Circuit, buildGraph, normalisedFaithfulness } from '../src/index.js';
import { golden, toyGraph } from './golden.js';
import type { GoldenKey } from './golden.js';

const {
  TOY_PAIR,
  TOY_SIZES,
  backwardCount,
  circuitMetric,
  eapForward,
  eapLoss,
  eapPath,
  eapPathGradients,
  eapRecord,
  eapScores,
  eapSlotGradients,
  exactScores,
  forwardCount,
  sourcesBefore,
  tokenEmbeddings,
  waveModel,
} = referenceEap;

const toy = waveModel();
const METRICS: readonly referenceEap.EapMetric[] = ['logit-diff', 'prob-diff', 'kl'];

describe('reference on the golden toy', () => {
  it('has its logits and losses', () => {
    const { clean, corrupted } = eapRecord(toy, TOY_PAIR);
    for (const [ours, theirs] of [
      [clean.logits, golden.logits_clean],
      [corrupted.logits, golden.logits_corrupt],
    ] as const)
      for (const [i, logit] of ours.entries()) expect(Math.abs(logit - (theirs[i] ?? Number.NaN))).toBeLessThan(1e-12);
    expect(eapLoss('logit-diff', TOY_PAIR, clean.logits, clean.logits).loss).toBeCloseTo(golden.loss_clean, 12);
    expect(eapLoss('logit-diff', TOY_PAIR, corrupted.logits, clean.logits).loss).toBeCloseTo(golden.loss_corrupt, 12);
  });

  it.each([
    ['eap', () => eapScores(toy, [TOY_PAIR], 'logit-diff', eapPath(1, 'right'))],
    ['ig_k0_m1', () => eapScores(toy, [TOY_PAIR], 'logit-diff', eapPath(5, 'left'))],
    ['ig_k1_m', () => eapScores(toy, [TOY_PAIR], 'logit-diff', eapPath(5, 'right'))],
    ['clean_corrupted', () => eapScores(toy, [TOY_PAIR], 'logit-diff', eapPath(1, 'trapezoid'))],
    ['exact', () => exactScores(toy, [TOY_PAIR], 'logit-diff')],
  ] as readonly [GoldenKey, () => Float64Array][])('has its scores: %s', (key, compute) => {
    const scores = compute();
    for (const { u, v } of toyGraph.edges()) {
      const want = golden.edges[toyGraph.edgeName(u, v)]?.[key] ?? Number.NaN;
      expect(Math.abs((scores[toyGraph.dense(u, v)] ?? Number.NaN) - want)).toBeLessThan(1e-9);
    }
    expect([...scores].filter((x) => !Number.isNaN(x))).toHaveLength(46);
  });

  it.each(Object.keys(golden.circuits))('has the faithfulness of circuit %s', (key) => {
    const circuit = Circuit.ofEdges(toyGraph, golden.circuits[key]?.edges ?? []);
    const metric = circuitMetric(toy, [TOY_PAIR], 'logit-diff', (u, v) => circuit.has(u, v));
    const f = normalisedFaithfulness(metric, -golden.loss_clean, -golden.loss_corrupt).value;
    expect(Math.abs((f ?? Number.NaN) - (golden.circuits[key]?.faith ?? Number.NaN))).toBeLessThan(1e-9);
  });
});

const PAIRS: readonly referenceEap.EapPair[] = [
  { clean: [1, 4, 7, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: [8, 3], incorrect: [5] },
  { clean: [10, 0, 6], corrupted: [10, 5, 6], correct: [1], incorrect: [2, 7, 9] },
];
const variants = [
  ['sequential', 'layer'],
  ['parallel', 'layer'],
  ['parallel', 'rms'],
] as const;

describe.each(variants)('reference on a %s block with %s norm', (block, norm) => {
  const model = waveModel({ ...TOY_SIZES, heads: 3, width: 10, headWidth: 3, mlpWidth: 13 }, { block, norm });
  const graph = buildGraph({ layers: 2, heads: 3, width: 10, block });

  it('shares the topology of the graph', () => {
    expect([forwardCount(model.sizes), backwardCount(model.sizes)]).toEqual([graph.nForward, graph.nBackward]);
    for (let v = 0; v < graph.nBackward; v++) expect(sourcesBefore(model, v)).toBe(graph.prev(v));
  });

  it.each(METRICS)('has slot gradients equal to central differences (%s)', (metric) => {
    const [pair] = PAIRS as [referenceEap.EapPair];
    const embedding = tokenEmbeddings(model, pair.corrupted); // not the clean input, where KL is flat
    const clean = eapForward(model, tokenEmbeddings(model, pair.clean)).logits;
    const run = eapForward(model, embedding);
    const gradients = eapSlotGradients(model, run, eapLoss(metric, pair, run.logits, clean).dLogits);
    const h = 1e-5;
    for (let v = 0; v < graph.nBackward; v++) {
      const direction = Float64Array.from(embedding, (_, i) => Math.sin(1.7 * i + v));
      const lossAt = (step: number): number => {
        const edited = eapForward(model, embedding, (slot, x) =>
          slot === v ? x.map((y, i) => y + step * (direction[i] ?? 0)) : x,
        );
        return eapLoss(metric, pair, edited.logits, clean).loss;
      };
      const numeric = (lossAt(h) - lossAt(-h)) / (2 * h);
      const analytic = direction.reduce((total, d, i) => total + d * (gradients[v]?.[i] ?? Number.NaN), 0);
      // Truncation is O(h²) ~ 1e-10 and round-off 1e-16 / h ~ 1e-11, each times third derivatives of a few hundred.
      expect(Math.abs(numeric - analytic)).toBeLessThan(1e-6 * Math.max(1, Math.abs(analytic)));
    }
  });

  it('full circuit = clean, empty circuit = corrupted', () => {
    for (const pair of PAIRS) {
      const { clean, corrupted } = eapRecord(model, pair);
      for (const [keep, run] of [
        [true, clean],
        [false, corrupted],
      ] as const) {
        const got = circuitMetric(model, [pair], 'logit-diff', () => keep);
        expect(got).toBeCloseTo(-eapLoss('logit-diff', pair, run.logits, clean.logits).loss, 12);
      }
    }
  });

  it('IG with many midpoints is complete at `input`', () => {
    const [pair] = PAIRS as [referenceEap.EapPair];
    const { clean, corrupted, deltas } = eapRecord(model, pair);
    const gradients = eapPathGradients(model, pair, 'logit-diff', eapPath(64, 'midpoint'));
    let total = 0;
    for (let v = 0; v < graph.nBackward; v++)
      total += deltas[0]?.reduce((sum, d, i) => sum + d * (gradients[v]?.[i] ?? 0), 0) ?? 0;
    const loss = (run: typeof clean): number => eapLoss('logit-diff', pair, run.logits, clean.logits).loss;
    expect(Math.abs(total - (loss(corrupted) - loss(clean)))).toBeLessThan(
      1e-3 * Math.abs(loss(corrupted) - loss(clean)),
    );
  });

  it('plain EAP under KL is zero', () => {
    const scores = eapScores(model, PAIRS, 'kl', eapPath(1, 'right'));
    for (const score of scores) if (!Number.isNaN(score)) expect(Math.abs(score)).toBeLessThan(1e-12);
  });
});
