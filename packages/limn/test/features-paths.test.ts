// `limn features paths` on a model of two layers with random transcoders: attributions that add up, filters, heads, scores, refusals.
import { describe, expect, it } from 'vitest';
import { conditionOption, scorePlaceOption } from '../src/path-conditions.js';
import type { PathsFigures, ScoreFigures, SplitEdge } from '../src/prompt-paths.js';
import { featuresRuns } from './features-runs.js';
import { runLimn } from './run-limn.js';
import { failed } from './steer-runs.js';

const TOKENS = ['--tokens', '1,4,7,2,9', '--target', 'logit:8'];

interface Found extends PathsFigures {
  readonly target: { readonly label: string; readonly value: number };
  readonly found: number;
  readonly heads?: { readonly edges: readonly SplitEdge[] };
  readonly qk?: ScoreFigures;
}

async function paths(...more: string[]): Promise<Found> {
  const runs = await featuresRuns();
  const outcome = await runLimn(runs.words('paths', ...TOKENS, ...more));
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  return outcome.json() as unknown as Found;
}

describe('limn features paths', () => {
  it('follows what brings most; a node is its edges and what is missing; heads and scores add up', async () => {
    const found = await paths('--heads', '1', '--qk', '1.0@4,2', '--top', '1000');
    expect(found.paths).toHaveLength(found.found);
    // The paper's search takes what counts for the target alone.
    expect(Math.min(...found.paths.map(({ attribution }) => attribution))).toBeGreaterThan(0);
    const root = found.graph.nodes.find(({ name }) => name === '8@4')!;
    expect(root.attribution).toBe(found.target.value);
    const edges = found.graph.edges.filter(({ target }) => target === root.name);
    const parts = edges.reduce((sum, { weight }) => sum + weight, 0);
    const { tcError, biasError, skip, pruneError } = root;
    expect(parts + tcError + biasError + skip + pruneError).toBeCloseTo(root.attribution, 4);
    expect(found.heads!.edges.reduce((sum, { edge }) => sum + edge, 0)).toBeCloseTo(found.target.value, 4);
    expect(Math.abs(found.qk!.residual)).toBeLessThan(1e-5);
    expect(found.qk!.keys.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(found.qk!.score, 4);
  });

  it('with signs it sees what counts against the target; filters keep paths by their nodes', async () => {
    const both = await paths('--signed');
    expect(Math.min(...both.paths.map(({ attribution }) => attribution))).toBeLessThan(0);
    const heads = await paths('--signed', '--where', 'kind=head,layer=1');
    const others = await paths('--signed', '--where', 'kind=head,layer=1', '--match', 'not-infix');
    expect(heads.paths.length).toBeGreaterThan(0);
    for (const { nodes } of heads.paths) expect(nodes.map(({ name }) => name).join(' ')).toContain('attn1[');
    expect(heads.paths.length + others.paths.length).toBe(both.found);
  });

  it('refuses with a code', async () => {
    const runs = await featuresRuns();
    const code = async (...more: string[]) => (await failed(runs.words('paths', ...TOKENS, ...more))).slice(0, 2);
    expect(await code('--target', 'logit:5')).toEqual([2, 'usage/feature-target']);
    expect(await code('--signed', '--order', 'size')).toEqual([2, 'usage/path-order']);
    expect(await code('--heads', '2')).toEqual([2, 'usage/graph-head-layer']);
    expect(await code('--qk', '1.0@2,4')).toEqual([2, 'usage/graph-key']);
    expect(await code('--where', 'colour=red')).toEqual([2, 'usage/path-condition']);
  });
});

it('conditions and places are read from words', () => {
  expect(conditionOption('kind!=head, layer>=1,feature=3')).toEqual([
    { kind: { is: '!=', value: 'head' }, layer: { is: '>=', value: 1 }, feature: { is: '=', value: 3 } },
  ]);
  for (const text of ['head>1', 'kind=tail', 'layer=a', '', 'layer'])
    expect(() => conditionOption(text)).toThrow(expect.objectContaining({ code: 'usage/path-condition' }));
  expect(scorePlaceOption('9.1@8,6')).toEqual({ layer: 9, head: 1, query: 8, key: 6 });
  expect(() => scorePlaceOption('9.1')).toThrow(expect.objectContaining({ code: 'usage/score-place' }));
});
