// Edges opened into features: the parts sum to the score of the edge by the method itself, at either end, for every gradient method and ablation.
import { existsSync } from 'node:fs';
import { logitDiff, meanOutputs, scoreAt, scoreEdges, type Ablation, type Pair } from '@limn/attribution';
import { lentGpu, refusal } from '@limn/testing';
import { Dictionary, type DictionaryWeights } from '@limn/transcoders';
import { describe, expect, it } from 'vitest';
import { openModel } from '../src/model-source.js';
import { openEdge, type OpenEdgeOptions } from '../src/opened-edge.js';
import { featuresRuns, randomMember } from './features-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';
import { toyCircuit } from './toy-model.js';

const PAIRS: readonly Pair[] = [
  { clean: [1, 4, 7, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: [8], incorrect: [5] },
  { clean: [2, 6, 1], corrupted: [2, 5, 1], correct: [3], incorrect: [10] },
];

async function opened() {
  const runs = await featuresRuns();
  const gpu = await lentGpu();
  const model = await openModel(gpu, runs.model);
  const dictionary = (layer: number, options: Parameters<typeof randomMember>[2] = {}): Dictionary => {
    const { config, weights } = randomMember(8, layer, options);
    return Dictionary.create(gpu, config, weights as DictionaryWeights);
  };
  return { gpu, model: model.hooked, dictionary };
}

/** Those that a plain run opens: each end, a path, a constant. */
const ALWAYS = new Set(['m1->logits source patch', 'm0->logits source zero', 'm0->m1 destination patch']);

describe('an edge opened into features', () => {
  it.for<
    readonly [
      string,
      'source' | 'destination',
      Omit<OpenEdgeOptions, 'side' | 'metric' | 'ablation'>,
      'patch' | 'zero' | 'mean',
    ]
  >([
    ['m1->logits', 'source', { method: 'eap' }, 'patch'],
    ['m0->a1.h1<k>', 'source', { method: 'eap-ig-inputs', steps: 3 }, 'patch'],
    ['m0->m1', 'source', { method: 'clean-corrupted' }, 'patch'],
    ['m0->logits', 'source', { method: 'eap' }, 'zero'],
    ['m0->a1.h0<v>', 'source', { method: 'eap-ig-activations', steps: 2 }, 'mean'],
    ['m0->m1', 'destination', { method: 'eap-ig-inputs', steps: 3 }, 'patch'],
    ['a0.h1->m1', 'destination', { method: 'eap' }, 'patch'],
    ['input->m0', 'destination', { method: 'eap-ig-activations', steps: 2, variant: 'reference' }, 'patch'],
    ['a1.h0->m1', 'destination', { method: 'eap' }, 'zero'],
  ])('%s at its %s, %o, %s', async ([edge, side, options, kind], context) => {
    context.skip(
      process.env['LIMN_LONG'] !== '1' && !ALWAYS.has(`${edge} ${side} ${kind}`),
      'other methods, slots and ablations: with LIMN_LONG=1',
    );
    const { model, dictionary } = await opened();
    const ablation: Ablation =
      kind === 'mean'
        ? await meanOutputs(
            model,
            PAIRS.map(({ corrupted }) => corrupted),
          )
        : kind;
    const scoring = { ...options, metric: logitDiff, ablation };
    const scores = await scoreEdges(model, PAIRS, scoring);
    const { u, v } = scores.graph.parseEdge(edge);
    const layer = Number(/m(\d)/.exec(side === 'source' ? edge : edge.split('->')[1]!)![1]);
    for (const skip of [true, false]) {
      using own = dictionary(layer, { skip });
      const found = await openEdge(model, PAIRS, edge, own, { ...scoring, side });
      const size = Math.max(...[...found.features, found.error, found.score].map(Math.abs));
      // The same sums in f32 in another order; some hundred terms of at most this size.
      expect(Math.abs(found.score - scoreAt(scores, u, v))).toBeLessThan(1e-5 * size);
      expect(Math.abs(found.residual)).toBeLessThan(1e-5 * size);
      expect(found.features.filter((share) => share !== 0).length).toBeGreaterThan(1);
      expect(Math.abs(found.error)).toBeGreaterThan(1e-3 * size);
      expect([found.skip !== 0, found.constant !== 0]).toEqual([skip, side === 'source' && kind !== 'patch']);
    }
    if (typeof ablation === 'object') ablation.dispose();
  });

  it('an SAE opens what an MLP writes, and not what it reads', async () => {
    const { model, dictionary } = await opened();
    using sae = dictionary(1, { input: 'hook_mlp_out', activation: { kind: 'top-k', k: 3 } });
    const options = { method: 'eap', metric: logitDiff } as const;
    const found = await openEdge(model, PAIRS, 'm1->logits', sae, { ...options, side: 'source' });
    expect(Math.abs(found.residual)).toBeLessThan(1e-5);
    for (const [edge, side] of [
      ['m0->m1', 'destination'],
      ['a0.h0->m1', 'source'],
      ['m0->logits', 'source'],
    ] as const)
      expect((await refusal(openEdge(model, PAIRS, edge, sae, { ...options, side }))).code).toBe('usage/edge-side');
  });
});

describe('limn features edge', () => {
  it('opens an edge of a folder that limn circuit wrote, as it was scored', async () => {
    const runs = await featuresRuns();
    const circuit = await runLimn([...toyCircuit(runs.model, runs.at('circuit')), '--draws', '0', '--method', 'eap']);
    expect(circuit.exitCode, circuit.stderr).toBe(0);
    const outcome = await runLimn(runs.words('edge', '--circuit', runs.at('circuit'), '--edge', 'm1->logits'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const found = outcome.json() as unknown as {
      score: number;
      inFile: number;
      error: number;
      skip: number;
      residual: number;
      features: { feature: number; share: number }[];
      carrying: number;
    };
    expect(found.score).toBeCloseTo(found.inFile, 6);
    expect(found.features).toHaveLength(found.carrying);
    const sum = found.features.reduce((total, { share }) => total + share, found.error + found.skip);
    expect(sum).toBeCloseTo(found.score, 5);
    const code = async (...more: string[]) =>
      (await failed(runs.words('edge', '--circuit', runs.at('circuit'), ...more))).slice(0, 2);
    expect(await code('--edge', 'a0.h0->logits')).toEqual([2, 'usage/edge-side']);
    expect(await code('--edge', 'm1->m0')).toEqual([4, 'data/unknown-edge']);
    expect(await code('--edge', 'm1->logits', '--circuit', runs.at('nowhere'))).toEqual([4, 'data/graph-file']);
    expect(existsSync(runs.at('nowhere'))).toBe(false);
    const processed = ['--edge', 'm1->logits', '--processing', 'transformer-lens'];
    expect(await code(...processed)).toEqual([4, 'data/graph-mismatch']);
  });

  it('opens no edge that was scored with dictionaries in the place of MLPs', async () => {
    const runs = await featuresRuns();
    await runs.writeSet('replacing', [randomMember(8, 1)]);
    const asked = [...toyCircuit(runs.model, runs.at('replaced')), '--draws', '0', '--method', 'eap'];
    const circuit = await runLimn([...asked, '--transcoders', runs.at('replacing')]);
    expect(circuit.exitCode, circuit.stderr).toBe(0);
    const [exit, code, message] = await failed(
      runs.words('edge', '--circuit', runs.at('replaced'), '--edge', 'm1->logits'),
    );
    expect([exit, code]).toEqual([4, 'data/graph-mismatch']);
    expect(message).toContain('MLPs of layers 1 by dictionaries');
  });
});
