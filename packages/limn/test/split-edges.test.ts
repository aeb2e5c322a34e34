// Splits by head of graphs that explain a feature: no further than its layer.
import { readFileSync } from 'node:fs';
import { featureGraphFromJson } from '@limn/report';
import { expect, it } from 'vitest';
import { featuresRuns } from './features-runs.js';
import { runLimn } from './run-limn.js';

it('a graph of a feature of the first layer is split by the heads of that layer alone, and adds up', async () => {
  const runs = await featuresRuns();
  const out = runs.at('graph-of-a-feature');
  const asked = runs.words('graph', '--tokens', '1,4,7,2', '--target', 'feature:0:7:3', '--out', out);
  const outcome = await runLimn(asked);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const { splits = [], edges } = featureGraphFromJson(
    readFileSync(runs.at('graph-of-a-feature', 'result.json'), 'utf8'),
  );
  expect(splits.length).toBeGreaterThan(0);
  expect(new Set(splits.map(({ layer }) => layer))).toEqual(new Set([0]));
  for (const { edge, heads, past } of splits)
    expect(heads.reduce((sum, part) => sum + part, past)).toBeCloseTo(edges[edge]![2]!, 5);
});
