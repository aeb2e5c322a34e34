// `limn features graph` on a model of two layers with random transcoders: files that viewers open, figures, the causal check, refusals.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
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

  it('splits its edges by head and scores by sources, groups, and has dashboards beside its nodes', async () => {
    const runs = await featuresRuns();
    const places = ['--qk', '1.1@4,2', '--split', '9', '--supernodes'];
    const outcome = await runLimn(runs.words('graph', ...TOKENS, ...places, '--out', runs.at('parts')));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = featureGraphFromJson(readFileSync(runs.at('parts', 'result.json'), 'utf8'));
    // The record's check holds that parts sum to their edges; here that edges are those of most influence that run through heads.
    const { splits = [], nodes, edges } = record;
    const split = [...new Set(splits.map(({ edge }) => edge))];
    expect(split.length).toBeGreaterThan(3);
    expect(split.length).toBeLessThanOrEqual(9);
    for (const { edge, layer, heads, past } of splits) {
      const [from, to] = [nodes[edges[edge]![0]]!, nodes[edges[edge]![1]]!];
      expect(layer).toBeGreaterThan(from.layer ?? -1);
      expect(layer).toBeLessThanOrEqual(to.layer ?? 1);
      expect(heads).toHaveLength(2);
      // What comes from another position runs through heads alone: past the only layer between is nothing.
      if (from.position !== to.position && (to.layer ?? 1) - (from.layer ?? -1) === 1)
        expect(Math.abs(past)).toBeLessThan(1e-6);
    }
    const [score] = record.headScores!;
    expect(score).toMatchObject({ layer: 1, head: 1, query: 4, key: 2 });
    expect(score!.attention!.reduce((sum, share) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(outcome.json()).toMatchObject({ qk: [{ score: score!.score, attention: score!.attention![2] }] });
    const ids = new Set(nodes.map(({ id }) => id));
    expect(score!.keys.some(({ id }) => ids.has(id))).toBe(true);
    const graph = checkGraphJson(runs.json('parts', 'graph.json'));
    const written = new Set(graph.nodes.map(({ node_id }) => node_id));
    for (const [, ...members] of graph.qParams.supernodes ?? [])
      for (const id of members) expect(written.has(id) && record.qParams!.pinnedIds.includes(id)).toBe(true);

    // Dashboards of the graph's features, and the graph with them.
    const dashboards = await runLimn(
      runs.words(
        'dashboards',
        '--of-graph',
        runs.at('parts'),
        '--text',
        runs.text,
        '--context',
        '4',
        '--out',
        runs.at('parts-read'),
      ),
    );
    expect(dashboards.exitCode, dashboards.stderr).toBe(0);
    const again = await runLimn(
      runs.words(
        'graph',
        ...TOKENS,
        '--split',
        '0',
        '--dashboards',
        runs.at('parts-read'),
        '--out',
        runs.at('parts-again'),
      ),
    );
    expect(again.exitCode, again.stderr).toBe(0);
    const beside = featureGraphFromJson(readFileSync(runs.at('parts-again', 'result.json'), 'utf8'));
    const features = graph.nodes.filter(({ feature_type }) => feature_type === 'cross layer transcoder');
    const distinct = new Set(features.map(({ jsNodeId }) => jsNodeId));
    expect(beside.features).toHaveLength(distinct.size);
    expect(beside.splits).toBeUndefined();
    for (const { origin, feature } of beside.features!) expect(distinct.has(`${origin.layer}_${feature}-0`)).toBe(true);
    expect(readFileSync(runs.at('parts-again', 'report.html'), 'utf8')).toContain('"histogram"');

    // What was written is read again as the same graph.
    const read = await runLimn(['features', 'import', runs.at('parts'), '--json', '--out', runs.at('parts-read-back')]);
    expect(read.exitCode, read.stderr).toBe(0);
    expect(read.json()).toMatchObject({ collisions: [], leftOutNodes: [], leftOutLinks: 0, numbering: 'cantor' });
    const back = featureGraphFromJson(readFileSync(runs.at('parts-read-back', 'result.json'), 'utf8'));
    const inFile = ({ kind, id }: { kind: string; id: string }): boolean => kind !== 'bias' && written.has(id);
    const byId = (list: typeof nodes) => [...list].filter(inFile).sort((a, b) => (a.id < b.id ? -1 : 1));
    expect(byId(back.nodes)).toEqual(byId(nodes));
    expect([back.title, back.layers, back.scores, back.accounting, back.whole, back.prompt]).toEqual([
      record.title,
      record.layers,
      record.scores,
      record.accounting,
      record.whole,
      record.prompt,
    ]);
    const ends = (of: typeof record) =>
      new Map(of.edges.map(([from, to, weight]) => [`${of.nodes[from]!.id} ${of.nodes[to]!.id}`, weight]));
    const known = ends(record);
    expect(back.edges).toHaveLength(graph.links.length);
    for (const [name, weight] of ends(back)) expect(known.get(name)).toBe(weight);
    expect(back.qParams?.supernodes).toEqual(graph.qParams.supernodes);
  });

  it('opens a graph of others: one id of two nodes, unknown types and labels of its readers are told or taken', async () => {
    const runs = await featuresRuns();
    const node = (id: string, layer: string, feature: number, type: string, clerp = '') => ({
      node_id: id,
      feature,
      layer,
      ctx_idx: 1,
      feature_type: type,
      jsNodeId: `${id}-0`,
      clerp,
      ...(type === 'logit' ? { token_prob: 0.75, is_target_logit: true } : {}),
    });
    const link = (source: string, target: string, weight: number) => ({ source, target, weight });
    const foreign = {
      metadata: {
        slug: 'Dallas Austin',
        scan: 'gpt2',
        prompt_tokens: ['<bos>', ' Dallas'],
        prompt: '<bos> Dallas',
        info: { generator: { name: 'circuit-tracer', version: '0.1' } },
      },
      qParams: {
        pinnedIds: ['0_1_1', 'gone'],
        supernodes: [['city', '0_1_1', 'gone']],
        clerps: '[["1_16_1","states"]]',
      },
      nodes: [
        node('0_1_1', '0', 2, 'cross layer transcoder'),
        node('1_4_1', '1', 19, 'cross layer transcoder'),
        node('0_1_1', '1', -1, 'mlp reconstruction error'),
        node('E_9_1', 'E', 1, 'embedding'),
        node('lorsa_1', '1', 3, 'lorsa'),
        node('3_7_1', '3', 7, 'logit', 'Output " Austin" (p=0.750)'),
      ],
      links: [
        link('E_9_1', '0_1_1', 0.5),
        link('E_9_1', '1_4_1', 1.5),
        link('0_1_1', '3_7_1', 2),
        link('1_4_1', '3_7_1', 3),
        link('lorsa_1', '3_7_1', 4),
      ],
    };
    foreign.qParams.clerps = '[["1_19_1","states"]]';
    writeFileSync(runs.at('dallas.json'), JSON.stringify(foreign));
    const outcome = await runLimn(['features', 'import', runs.at('dallas.json'), '--json', '--out', runs.at('dallas')]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(
      /1 id stands for an error and a feature of layer 0: 0_1_1 \(now error_1_1\); 1 of their links/,
    );
    expect(outcome.json()).toMatchObject({
      collisions: [{ id: '0_1_1', renamed: 'error_1_1', links: 1 }],
      leftOutNodes: [{ type: 'lorsa', count: 1 }],
      leftOutLinks: 1,
      numbering: 'cantor',
    });
    const record = featureGraphFromJson(readFileSync(runs.at('dallas', 'result.json'), 'utf8'));
    expect(record.nodes.map(({ id }) => id)).toEqual(['0_1_1', '1_4_1', 'error_1_1', 'E_9_1', '3_7_1']);
    expect(record.nodes.at(-1)).toMatchObject({ kind: 'output', label: ' Austin', probability: 0.75, token: 7 });
    expect(record).toMatchObject({
      layers: 2,
      title: 'Features behind " Austin"',
      slug: 'dallas-austin',
      scores: { replacement: 1, completeness: 1 },
      imported: { file: 'dallas.json', generator: 'circuit-tracer 0.1' },
      qParams: { pinnedIds: ['0_1_1'], supernodes: [['city', '0_1_1']], clerps: [['1_4_1', 'states']] },
    });
    expect(record.accounting).toBeUndefined();
    const page = readFileSync(runs.at('dallas', 'report.html'), 'utf8');
    expect(page).toContain('Where it comes from');
    const written = checkGraphJson(runs.json('dallas', 'graph.json'));
    expect(new Set(written.nodes.map(({ node_id }) => node_id)).size).toBe(written.nodes.length);
    const code = async (text: string): Promise<unknown> => {
      writeFileSync(runs.at('broken.json'), text);
      return (await failed(['features', 'import', runs.at('broken.json'), '--json', '--out', runs.at('none')])).slice(
        0,
        2,
      );
    };
    expect(await code('{')).toEqual([4, 'data/graph-json']);
    expect(
      await code(JSON.stringify({ ...foreign, metadata: { ...foreign.metadata, limn: { layers: 'two' } } })),
    ).toEqual([4, 'data/graph-json']);
    expect(await code(JSON.stringify({ ...foreign, nodes: foreign.nodes.slice(0, 4), links: [] }))).toEqual([
      4,
      'data/graph-json',
    ]);
    expect(existsSync(runs.at('none'))).toBe(false);
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
    expect(await code(...TOKENS, '--qk', '1.1')).toEqual([2, 'usage/score-place']);
    expect(await code(...TOKENS, '--split-edge', 'a')).toEqual([2, 'usage/graph-edge']);
    expect(await code(...TOKENS, '--split-edge', 'a,b')).toEqual([2, 'usage/graph-edge']);
    expect(await code(...TOKENS, '--dashboards', runs.at('nowhere'))).toEqual([4, 'data/dashboards']);
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
