// EAP-IG on the cells of a steering: over its positions it is the score of the nodes, whatever the lengths of the prompts.
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { logitDiff, scoreNodes } from '@limn/attribution';
import { cellGrid, positionTable, Steering, type SteeringSpec } from '@limn/steering';
import { testGpu } from '@limn/testing';
import { afterAll, expect, it } from 'vitest';
import { eapGrid, fitsEdges, hasNodes, pairsOf } from '../src/eap-grid.js';
import { openModel } from '../src/model-source.js';
import type { SourceExample } from '../src/steering-source.js';
import { writeToyModel } from './toy-model.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'limn-eap-grid-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('sums over positions to the scores of the nodes, of prompts of several lengths', async () => {
  writeToyModel(root);
  using opened = await openModel(await testGpu(), root);
  const model = opened.hooked;
  const examples: SourceExample[] = [
    { prompt: [1, 4, 7, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: 8, wrong: 5 },
    { prompt: [1, 6, 2, 9], corrupted: [1, 3, 2, 9], correct: 4, wrong: 7 },
    { prompt: [1, 8, 2, 9], corrupted: [1, 5, 3, 9], correct: 6, wrong: 2 },
    { prompt: [1, 8, 2, 9], correct: 6, wrong: 2 },
  ];
  const positions = positionTable(
    examples.map(({ prompt }) => ({ length: prompt.length })),
    'from-end',
  );
  const spec: SteeringSpec = {
    method: { kind: 'activ-scalar' },
    sites: ['hook_attn_out', 'hook_mlp_out', 'hook_resid_pre'],
    positions,
  };
  using steering = new Steering(model, spec);
  const grid = await eapGrid(model, examples, cellGrid(model.info, await steering.values()), positions, {});
  const pairs = pairsOf(examples).map(({ pair }) => pair);
  expect(pairs).toHaveLength(3);
  const { graph, values } = await scoreNodes(model, pairs, { method: 'eap-ig-inputs', metric: logitDiff });
  expect([hasNodes(grid), hasNodes({ sites: ['hook_resid_pre'] })]).toEqual([true, false]);
  const xl = { ...model.info, layers: 48, heads: 25 };
  expect([fitsEdges(model, examples), fitsEdges({ info: xl }, examples)]).toEqual([true, true]);
  expect(fitsEdges({ info: xl }, [{ ...examples[0]!, prompt: Array(18).fill(1) as number[] }])).toBe(false);
  const P = positions.names.length;
  const at = (site: number, layer: number): (number | null)[] =>
    grid.values.slice((site * grid.layers.length + layer) * P, (site * grid.layers.length + layer + 1) * P);
  const { sites } = grid;
  const sum = (cells: readonly (number | null)[]): number =>
    cells.reduce<number>((all, value) => all + (value ?? 0), 0);
  const scoreOf = (kind: 'head' | 'mlp', layer: number): number =>
    graph.nodes.reduce(
      (all, node, u) => all + (node.kind === kind && node.layer === layer ? (values[u] as number) : 0),
      0,
    );
  for (const layer of [0, 1]) {
    // Sums of f32 products in another order.
    expect(sum(at(sites.indexOf('hook_attn_out'), layer))).toBeCloseTo(scoreOf('head', layer), 5);
    expect(sum(at(sites.indexOf('hook_mlp_out'), layer))).toBeCloseTo(scoreOf('mlp', layer), 5);
    expect(Math.abs(scoreOf('mlp', layer))).toBeGreaterThan(1e-3);
    expect(at(sites.indexOf('hook_resid_pre'), layer)).toEqual(positions.names.map(() => null));
  }
  // Prompts that are the same up to a token have no difference there.
  expect(at(sites.indexOf('hook_mlp_out'), 0).at(-1)).toBeCloseTo(0, 9);
});
