// A circuit and a steering as one list of interventions: scales reach what the kept edges of their nodes feed, and nothing where all are cut.
import { buildGraph, Circuit, OutputWeights, recordNodeOutputs, restrictToCircuit } from '@limn/attribution';
import { scale, tokenBatch, type Intervention } from '@limn/hooks';
import { positionTable, Steering } from '@limn/steering';
import { generatePairs } from '@limn/tasks';
import { readFloats } from '@limn/tensor';
import { referenceRandom, testGpu } from '@limn/testing';
import { expect, it } from 'vitest';
import { openModel } from '../src/model-source.js';

it('scales of heads and MLPs within a random circuit are plain scales within it, in either order', async () => {
  using opened = await openModel(await testGpu(), 'pocket');
  const model = opened.hooked;
  const pairs = generatePairs('country-capital-conflict', { seed: 0, n: 3, split: 'train' });
  const [clean, corrupted] = [pairs.map((pair) => pair.clean), pairs.map((pair) => pair.corrupted)];
  const T = clean[0]!.length;
  const random = referenceRandom(5);
  const graph = buildGraph(model.info);
  const mlp = graph.forwardIndex('m1');
  const drawn = random.normals(graph.nForward * graph.nBackward);
  const circuit = Circuit.where(graph, (u, v) => drawn[graph.dense(u, v)]! > -0.5);
  const without = Circuit.where(graph, (u, v) => u !== mlp && circuit.has(u, v));
  using steering = new Steering(model, {
    method: { kind: 'activ-scalar' },
    sites: ['attn.hook_z', 'hook_mlp_out'],
    positions: positionTable([{ length: T }], 'absolute'),
  });
  // Every position alike, so that hooks' own scale says the same.
  const alpha = new Map(steering.places.map(({ at, units }) => [at, random.normals(units, 0.5)]));
  for (const { at, units } of steering.places)
    steering.write(
      at,
      'alpha',
      Float32Array.from({ length: T * units }, (_, i) => alpha.get(at)![i % units]!),
    );
  const strength = -0.8;
  const scales = (): Intervention[] => steering.interventions({ strength });
  const mlps = (at: string): boolean => at.endsWith('hook_mlp_out');
  const weights = await OutputWeights.of(model);
  const logitsOf = async (of: Circuit, edits: (circuit: readonly Intervention[]) => readonly Intervention[]) => {
    const step = model.gpu.step();
    const ablated = recordNodeOutputs(step, model, weights, corrupted);
    const interventions = edits(restrictToCircuit(of, ablated));
    const tokens = tokenBatch(clean, model.info);
    const logits = await readFloats(step, model.run(step, { tokens }, { interventions, logits: 'last' }).logits);
    step.dispose();
    return logits;
  };
  const apart = (a: Float32Array, b: Float32Array): number => Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

  const steered = await logitsOf(circuit, (edges) => [...edges, ...scales()]);
  expect(apart(steered, await logitsOf(circuit, (edges) => [...scales(), ...edges]))).toBe(0);
  expect(apart(steered, await logitsOf(circuit, (edges) => edges))).toBeGreaterThan(0.1);
  // The MLPs alone, as one number each: hooks' scale of the same site in the same circuit.
  const onlyMlps = await logitsOf(circuit, (edges) => [...edges, ...scales().filter(({ at }) => mlps(at))]);
  const plain = await logitsOf(circuit, (edges) => [
    ...edges,
    ...steering.places.filter(({ at }) => mlps(at)).map(({ at }) => scale(at, 1 + strength * alpha.get(at)![0]!)),
  ]);
  expect(apart(onlyMlps, plain)).toBeLessThan(1e-4);
  // Without an edge out of it a node may be scaled as one likes: f32 round-off of the stream.
  const one = (edges: readonly Intervention[]) => [
    ...edges,
    ...scales().filter(({ at }) => at === 'blocks.1.hook_mlp_out'),
  ];
  expect(apart(await logitsOf(without, one), await logitsOf(without, (edges) => edges))).toBeLessThan(1e-3);
  weights.dispose();
});
