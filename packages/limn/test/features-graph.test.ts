// `limn features graph` on a model of two layers with random transcoders: files that viewers open, figures, the causal check, refusals.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { featureGraphFromJson } from '@limn/report';
import { checkGraphJson, importGraph, type GraphJson } from '@limn/transcoders';
import { describe, expect, it } from 'vitest';
import { targetOption } from '../src/feature-targets.js';
import { featuresRuns } from './features-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';

const TOKENS = ['--tokens', '1,4,7,2,9'];

describe('limn features graph', () => {
  it('writes a graph that viewers open, a record and a page, with the sums and the check', async () => {
    const runs = await featuresRuns();
    const outcome = await runLimn(runs.words('graph', ...TOKENS, '--check', '6', '--out', runs.at('graph')));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(readdirSync(runs.at('graph')).sort()).toEqual([
      'graph-metadata.json',
      'graph.json',
      'report.html',
      'result.json',
    ]);
    const graph: GraphJson = checkGraphJson(runs.json('graph', 'graph.json'));
    expect(graph.metadata).toMatchObject({
      prompt_tokens: ['1', '4', '7', '2', '9'],
      slug: '1-4-7-2-9',
      pruning_settings: { node_threshold: 0.8, edge_threshold: 0.98 },
    });
    expect(runs.json('graph', 'graph-metadata.json')).toEqual({ graphs: [graph.metadata] });
    expect(importGraph(JSON.stringify(graph)).collisions).toEqual([]);
    const record = featureGraphFromJson(readFileSync(runs.at('graph', 'result.json'), 'utf8'));
    const figures = outcome.json() as unknown as {
      worstResidual: number;
      replacement: number;
      pruned: { features: number };
      check: { changed: string[]; frozen: { worst: number }; matched: { features: number; onOutputs: number } };
    };
    expect(record.accounting).toMatchObject({ worst: figures.worstResidual, tolerance: 1e-4 });
    expect(figures.worstResidual).toBeLessThan(1e-5);
    expect(record.scores.replacement).toBe(figures.replacement);
    // Every feature of the file is a node of the record, by the same id, and passes the record's own threshold.
    const nodes = new Map(record.nodes.map((node) => [node.id, node]));
    const features = graph.nodes.filter(({ feature_type }) => feature_type === 'cross layer transcoder');
    expect(features).toHaveLength(figures.pruned.features);
    expect(features.length).toBeGreaterThan(0);
    for (const { node_id, activation, influence } of features)
      expect(nodes.get(node_id)).toMatchObject({ kind: 'feature', activation, influence });
    // What the record has of a target's edges is all of them, since the graph is small: they sum to its value.
    const output = record.nodes.findIndex(({ kind }) => kind === 'output');
    const sum = record.edges.reduce((total, [, target, weight]) => (target === output ? total + weight : total), 0);
    expect(sum).toBeCloseTo(record.nodes[output]!.value!, 4);
    expect(record.edges).toHaveLength(record.whole!.edges);
    expect(figures.check.changed).toHaveLength(6);
    expect(figures.check.frozen.worst).toBeLessThan(1e-3);
    expect(record.effects?.map(({ control = false }) => control)).toEqual([false, true]);
    expect(record.effects?.[0]?.rows.map(({ depth }) => depth)).toEqual([1, 'output', 'all']);
    expect(figures.check.matched.features).toBeLessThanOrEqual(6);
    const page = readFileSync(runs.at('graph', 'report.html'), 'utf8');
    expect(page).toContain('Do interventions agree?');
  });

  it('explains a difference of logits and a feature; less pruned it has more; biases are kept by request', async () => {
    const runs = await featuresRuns();
    const graph = async (out: string, ...more: string[]): Promise<GraphJson> => {
      const outcome = await runLimn(runs.words('graph', ...TOKENS, '--out', runs.at(out), ...more));
      expect(outcome.exitCode, outcome.stderr).toBe(0);
      return checkGraphJson(runs.json(out, 'graph.json'));
    };
    const targets = ['--target', 'diff:8,5', '--target', 'feature:1:3:4'];
    const small = await graph('small', ...targets, '--node-threshold', '0.4', '--edge-threshold', '0.5');
    const large = await graph('large', ...targets, '--node-threshold', '1', '--edge-threshold', '1', '--keep-others');
    expect(small.nodes.filter(({ feature_type }) => feature_type === 'logit').map(({ clerp }) => clerp)).toEqual([
      'Output "8 − 5" (p=1.000)',
      'Output "tc1[3]@4" (p=1.000)',
    ]);
    expect(small.links.length).toBeLessThan(large.links.length);
    const kinds = (json: GraphJson): Set<string> => new Set(json.nodes.map(({ feature_type }) => feature_type));
    expect([kinds(small).has('bias'), kinds(large).has('bias')]).toEqual([false, true]);
    expect(featureGraphFromJson(readFileSync(runs.at('small', 'result.json'), 'utf8')).provenance).toMatchObject({
      options: { target: 'diff:"8","5" feature:1:3:4', tokens: '1,4,7,2,9', nodeThreshold: 0.4 },
      seed: null,
      prependBos: null,
    });
  });

  it('refuses with a code and leaves nothing', async () => {
    const runs = await featuresRuns();
    const code = async (...more: string[]) =>
      (await failed(runs.words('graph', '--out', runs.at('refused'), ...more))).slice(0, 2);
    expect(await code()).toEqual([2, 'usage/prompt']);
    expect(await code('--prompt', 'the war')).toEqual([2, 'usage/no-tokenizer']);
    expect(await code(...TOKENS, '--target', 'Paris')).toEqual([2, 'usage/feature-target']);
    expect(await code(...TOKENS, '--target', 'logit:11')).toEqual([2, 'usage/feature-token']);
    expect(await code(...TOKENS, '--target', 'feature:1:12:0')).toEqual([2, 'usage/graph-target']);
    expect(await code(...TOKENS, '--max-features', '0', '--check')).toEqual([2, 'usage/feature-check']);
    expect(await code(...TOKENS, '--transcoders', runs.root)).toEqual([4, 'data/dictionary-foreign']);
    expect(existsSync(runs.at('refused'))).toBe(false);
  });
});

it('targets are tokens with their spaces, in quotes or without', () => {
  expect(targetOption('logit:" Paris"')).toEqual([{ kind: 'logit', token: ' Paris' }]);
  expect(targetOption('logit: Paris')).toEqual([{ kind: 'logit', token: ' Paris' }]);
  expect(targetOption('diff: he, she')).toEqual([{ kind: 'diff', up: [' he'], down: [' she'] }]);
  expect(targetOption('diff:",","."', [{ kind: 'logit', token: 'x' }])).toEqual([
    { kind: 'logit', token: 'x' },
    { kind: 'diff', up: [','], down: ['.'] },
  ]);
  expect(targetOption('diff:" is"+"+"," are"+"\\"+,"')).toEqual([
    { kind: 'diff', up: [' is', '+'], down: [' are', '"+,'] },
  ]);
  expect(targetOption('diff:8+9,5+6')).toEqual([{ kind: 'diff', up: ['8', '9'], down: ['5', '6'] }]);
  expect(targetOption('diff:a+b,c')).toEqual([{ kind: 'diff', up: ['a+b'], down: ['c'] }]);
  expect(targetOption('feature:8:89:9')).toEqual([{ kind: 'feature', layer: 8, feature: 89, position: 9 }]);
  for (const text of ['diff:a', 'diff:"a"+"b","c"', 'feature:1:2', 'logit:', 'token:a'])
    expect(() => targetOption(text)).toThrow(expect.objectContaining({ code: 'usage/feature-target' }));
});
