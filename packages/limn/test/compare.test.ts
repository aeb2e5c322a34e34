// `limn compare`: overlap of circuits of one model, the faithfulness matrix with the model, and refusals of graphs that do not belong together.
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseGraphJson, prune, selectTopN } from '@limn/attribution';
import { comparisonFromJson, recordFromJson, recordToJson, summariseComparison } from '@limn/report';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { toyCircuit, toyPair, writeToyModel } from './toy-model.js';

let root: string;
let model: string;
const at = (name: string): string => path.join(root, name);
beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-compare-'));
  model = at('model');
  writeToyModel(model);
  for (const method of ['eap', 'exact', 'clean-corrupted']) {
    const words = [...toyCircuit(model, at(method)), '--metric', 'logit-diff', '--method', method, '--draws', '0'];
    const made = await runLimn(words);
    if (made.exitCode !== 0) throw new Error(made.stderr);
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const edited = (name: string, edit: (graph: Record<string, unknown>) => void): string => {
  const graph = JSON.parse(readFileSync(path.join(at('eap'), 'graph.json'), 'utf8')) as Record<string, unknown>;
  edit(graph);
  mkdirSync(at(name));
  const file = path.join(at(name), 'graph.json');
  writeFileSync(file, JSON.stringify(graph));
  return file;
};

it('says what three circuits of equal size share, with and without their common core', async () => {
  const outcome = await runLimn(['compare', at('eap'), at('exact'), at('clean-corrupted'), '--edges', '8', '--json']);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const { n, pairs, withoutCore, core, cross } = outcome.json() as unknown as {
    n: number;
    pairs: { first: string; second: string; edges: { first: number; second: number; shared: number; iou: number } }[];
    withoutCore: { edges: { first: number; population: number } }[];
    core: { edges: string[] };
    cross?: unknown;
  };
  expect(n).toBe(8);
  expect(pairs.map(({ first, second }) => `${first} ${second}`)).toEqual([
    'eap exact',
    'eap clean-corrupted',
    'exact clean-corrupted',
  ]);
  const [one] = pairs;
  if (!one) throw new Error('no pairs');
  // The 8 edges of largest |EAP| and of largest |exact| lose one to pruning each.
  expect([one.edges.first, one.edges.second]).toEqual([7, 7]);
  expect(one.edges.iou).toBeCloseTo(one.edges.shared / (14 - one.edges.shared), 12);
  expect(withoutCore[0]?.edges).toMatchObject({ first: 7 - core.edges.length, population: 46 - core.edges.length });
  expect(cross).toBeUndefined();

  const out = at('signed');
  const words = ['compare', at('eap'), at('exact'), '--edges', '8', '--ranking', 'signed'];
  const signed = await runLimn([...words, '--out', out]);
  expect(signed.stdout).toContain('2 circuits of 8 edges each, by top-n signed score, pruned');
  const record = comparisonFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
  const graphs = ['eap', 'exact'].map((name) =>
    parseGraphJson(readFileSync(path.join(at(name), 'graph.json'), 'utf8')),
  );
  expect(record.ranking).toBe('signed');
  expect(record.circuits.map(({ kept }) => kept)).toEqual(
    graphs.map(({ scores }) => prune(selectTopN(scores, 8, { ranking: 'signed' })).edgeCount),
  );
  expect(readFileSync(path.join(out, 'report.html'), 'utf8')).toContain('of the signed scores');
});

it('runs every circuit on every folder’s pairs: the diagonal is what the records say', async () => {
  const sizes = ['eap', 'exact'].map((name) => {
    const { circuit } = recordFromJson(readFileSync(path.join(at(name), 'result.json'), 'utf8'));
    return circuit;
  });
  const n = sizes[0]?.n ?? 0;
  const words = ['compare', at('eap'), at('exact'), '--model', model, '--edges', String(n)];
  const outcome = await runLimn([...words, '--json']);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const { cross } = outcome.json() as unknown as {
    cross: { faithfulness: number[][]; overlap: { points: unknown[] } };
  };
  expect(cross.faithfulness.map((row) => row.length)).toEqual([2, 2]);
  expect(cross.faithfulness[0]?.[0]).toBeCloseTo(sizes[0]?.faithfulness ?? NaN, 4);
  // Both folders have the same pairs, so a circuit does as well on either.
  expect(cross.faithfulness[1]).toEqual(cross.faithfulness[0]);
  expect(cross.overlap.points).toHaveLength(2);
  const { stdout } = await runLimn(words);
  expect(stdout).toContain('faithfulness across tasks');
  expect(stdout).toMatch(/^ {2}eap × exact +\d+ of \d+, \d+ +[\d.]+ +[\d.]+ +[\d.]+/m);
});

it('writes what it found as a record and a page, over an earlier one and over nothing else', async () => {
  const out = at('compared');
  const words = [
    'compare',
    at('eap'),
    at('exact'),
    at('clean-corrupted'),
    '--model',
    model,
    '--edges',
    '8',
    '--out',
    out,
  ];
  const outcome = await runLimn([...words, '--json']);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const told = outcome.json() as unknown as {
    files: string[];
    pairs: { edges: { iou: number } }[];
    core: { edges: string[] };
    cross: { faithfulness: number[][] };
  };
  expect(told.files).toEqual(['result.json', 'report.html']);
  const record = comparisonFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
  expect(record.circuits.map(({ name }) => name)).toEqual(['eap', 'exact', 'clean-corrupted']);
  expect(record.pairs.map(({ edges }) => edges.iou)).toEqual(told.pairs.map(({ edges }) => edges.iou));
  expect(record.core.edges).toEqual(told.core.edges);
  expect(record.cross?.faithfulness).toEqual(told.cross.faithfulness);
  expect(record.provenance.commandLine).toContain('limn compare ');
  const graph = recordFromJson(readFileSync(path.join(at('eap'), 'result.json'), 'utf8'));
  expect(record.provenance.model?.weightsSha256).toBe(graph.provenance.model.weightsSha256);
  const page = readFileSync(path.join(out, 'report.html'), 'utf8');
  expect(page).toContain('Faithfulness of every circuit on every task');
  expect(page).toContain(summariseComparison(record).headline);

  // Without the model, over what is there.
  const again = await runLimn(['compare', at('eap'), at('exact'), '--edges', '8', '--out', out]);
  expect(again.exitCode, again.stderr).toBe(0);
  const bare = comparisonFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
  expect(bare.cross).toBeUndefined();
  expect(bare.withoutCore).toBeUndefined();
  expect(bare.provenance.model?.weightsSha256).toBe(graph.provenance.model.weightsSha256);
  // A circuit's folder is not a comparison's.
  const foreign = await runLimn(['compare', at('eap'), at('exact'), '--out', at('eap'), '--json']);
  expect(foreign.json()).toMatchObject({ error: { code: 'usage/output-exists' } });
});

it('refuses pairs that are no longer those of the record, and takes those of a record without their sha256 with a notice', async () => {
  const data = path.join(root, 'own.jsonl');
  const lines = [6, 7].map((third) => JSON.stringify({ ...toyPair, clean: [1, 4, third, 2, 9] }));
  writeFileSync(data, lines.join('\n'));
  const other = at('own');
  const words = [...toyCircuit(model, other), '--eval-data', data, '--method', 'eap', '--draws', '0'];
  const made = await runLimn([...words, '--metric', 'logit-diff']);
  expect(made.exitCode, made.stderr).toBe(0);
  const record = recordFromJson(readFileSync(path.join(other, 'result.json'), 'utf8'));
  const { pairsSha256 } = record.provenance;
  expect(pairsSha256?.evaluation).toBe(
    createHash('sha256')
      .update(JSON.stringify([6, 7].map((third) => [[1, 4, third, 2, 9], toyPair.corrupted, [8], [5]])))
      .digest('hex'),
  );
  expect(pairsSha256?.search).not.toBe(pairsSha256?.evaluation);
  expect(readFileSync(path.join(other, 'report.html'), 'utf8')).toContain(pairsSha256?.search);
  const graph = JSON.parse(readFileSync(path.join(other, 'graph.json'), 'utf8')) as { limn: object };
  expect(graph.limn).toMatchObject({ pairsSha256 });

  const compare = () => runLimn(['compare', at('eap'), other, '--model', model, '--edges', '8', '--json']);
  const same = await compare();
  expect([same.exitCode, same.stderr]).toEqual([0, expect.not.stringContaining('sha256')]);
  writeFileSync(data, lines[0] as string);
  const changed = await compare();
  expect(changed.exitCode).toBe(4);
  const { error } = changed.json();
  expect(error).toMatchObject({ code: 'data/pairs-changed', hint: expect.stringContaining('limn circuit') });
  expect(error?.message).toContain(`${data} gives other pairs than ${path.join(other, 'graph.json')} was measured on`);

  const { pairsSha256: _hash, ...earlier } = record.provenance;
  writeFileSync(path.join(other, 'result.json'), recordToJson({ ...record, provenance: earlier }));
  const unknown = await compare();
  expect(unknown.exitCode, unknown.stderr).toBe(0);
  expect(unknown.stderr).toContain('no sha256 of the pairs');
});

it('refuses what cannot be compared', async () => {
  const other = edited('other-weights', (graph) =>
    Object.assign(graph['limn'] as object, { weightsSha256: 'c'.repeat(64) }),
  );
  const alike = edited('alike', (graph) => Object.assign(graph['limn'] as object, { weightsSha256: 'c'.repeat(64) }));
  const cut = edited('cut', (graph) => delete (graph['edges'] as Record<string, unknown>)['input->m0']);
  const broken = at('broken.json');
  writeFileSync(broken, '{');
  const unscored = edited('unscored', (graph) => {
    for (const edge of Object.values(graph['edges'] as Record<string, { score: number | null }>)) edge.score = null;
  });
  const bare = edited('bare', () => undefined);
  const whole = at('eap');
  for (const [words, code, exitCode] of [
    [[whole], 'usage/compare', 2],
    [[whole, whole], 'usage/compare', 2],
    [[whole, other], 'data/graph-mismatch', 4],
    [[whole, cut], 'data/graph-incomplete', 4],
    [[whole, broken], 'data/graph-json', 4],
    [[whole, at('nowhere')], 'data/graph-file', 4],
    [[whole, at('exact'), '--edges', '47'], 'usage/circuit-size', 2],
    [[whole, unscored], 'data/graph-scores', 4],
    [[whole, bare, '--model', model], 'data/graph-pairs', 4],
    [[other, at('other-weights'), '--model', model], 'usage/compare', 2],
    [[other, alike, '--model', model], 'data/graph-mismatch', 4],
  ] as const) {
    const outcome = await runLimn(['compare', ...words, '--json']);
    expect(outcome.json(), words.join(' ')).toMatchObject({ ok: false, error: { code } });
    expect(outcome.exitCode).toBe(exitCode);
  }
});
