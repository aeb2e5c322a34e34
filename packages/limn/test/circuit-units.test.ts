// `limn circuit --unit`, `--threshold` and `--knock-out` on the toy: what is written equals what the library gives, and what does not go together is refused.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  evaluateCircuits,
  exactEdges,
  logitDiff,
  minimality,
  normalisedFaithfulness,
  parseGraphJson,
  sampleEdges,
  scoreAt,
  type Minimality,
} from '@limn/attribution';
import { recordFromJson, type CircuitRecord } from '@limn/report';
import { lentGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { circuitFiles, describeFinding, figuresOf } from '../src/circuit-output.js';
import { chooseMethod } from '../src/methods.js';
import { openModel } from '../src/model-source.js';
import { findCircuit } from '../src/pipeline.js';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

/** A logit difference that falls by 0.2 from clean to corrupted: round-off of f32 in it is below 1e-5 of that. */
const pairs = [7, 6, 5, 8].map((third) => ({
  clean: [1, 4, third, 2, 9],
  corrupted: [3, 3, 3, 2, 9],
  correct: [6],
  incorrect: [1],
}));
let root: string;
let model: string;
let data: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-units-'));
  model = path.join(root, 'model');
  writeToyModel(model);
  data = path.join(root, 'pairs.jsonl');
  writeFileSync(data, pairs.map((pair) => JSON.stringify(pair)).join('\n'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const circuit = (out: string, ...more: readonly string[]) =>
  runLimn(
    ['circuit', '--model', model, '--data', data, '--metric', 'logit-diff', '--method', 'eap', '--draws', '2'].concat(
      ['--out', path.join(root, out)],
      more,
    ),
  );
const text = (out: string, name: string): string => readFileSync(path.join(root, out, name), 'utf8');
const recordOf = (out: string): CircuitRecord => recordFromJson(text(out, 'result.json'));
const graphOf = (out: string) => parseGraphJson(text(out, 'graph.json'));
const codes = ({ flags }: CircuitRecord): string[] => flags.map(({ code }) => code);

async function withToy<T>(use: (toy: Awaited<ReturnType<typeof openModel>>['hooked']) => Promise<T>): Promise<T> {
  using gpu = await lentGpu();
  using toy = await openModel(gpu, model);
  return await use(toy.hooked);
}

describe.each(['node', 'neuron'] as const)('circuits chosen by %ss', (unit) => {
  it('are measured at sizes of their own, written with their scores, and said to be what they are', async () => {
    const outcome = await circuit(unit, '--unit', unit);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordOf(unit);
    const { circuit: own, neurons, nodeScores, provenance, scores } = graphOf(unit);
    expect(own.edgeCount).toBe(record.circuit.kept);
    expect(provenance?.['selection']).toMatchObject({ unit, n: record.circuit.n });
    expect(nodeScores?.values.every(Number.isFinite)).toBe(true);
    expect(nodeScores?.neurons !== undefined).toBe(unit === 'neuron');
    expect(neurons !== undefined).toBe(unit === 'neuron');
    // ∂L/∂z_u = Σ_v g_v: a node's score is the sum of those of its edges; in f32, sums of at most 20 terms below 0.1.
    for (const [u] of scores.graph.nodes.entries()) {
      const out = [...scores.graph.edges()].filter((edge) => edge.u === u);
      const sum = out.reduce((total, { v }) => total + (scores.values[scores.graph.dense(u, v)] ?? NaN), 0);
      expect(nodeScores?.values[u]).toBeCloseTo(sum, 5);
    }
    // The whole graph is the last size, and keeps everything.
    const [headline] = record.curves;
    expect(record.curves).toHaveLength(1);
    expect(record.method.unit).toBe(unit);
    const units = headline?.points.map((point) => point.units ?? NaN) ?? [];
    expect(units).toEqual([...units].sort((a, b) => a - b));
    expect(units.at(-1)).toBe(unit === 'node' ? 7 : 7 * 8);
    expect(headline?.baselines?.map(({ name, draws }) => [name, draws])).toEqual([[`random ${unit}s`, 2]]);
    expect(headline?.points.at(-1)).toMatchObject({ n: record.graph.edgeCount, fraction: 1 });
    expect(headline?.points.at(-1)?.faithfulness).toBeCloseTo(1, 4);
    const ns = headline?.points.map(({ n }) => n) ?? [];
    expect(ns).toEqual([...new Set(ns)].sort((a, b) => a - b));
    expect(codes(record)).toEqual(expect.arrayContaining([`chosen-by-${unit}s`, 'stability-unknown']));
    expect(record.areas).toMatchObject({ cpr: null, cmd: null });
    expect(text(unit, 'report.html')).toContain(`chosen-by-${unit}s`);
    expect(outcome.stdout).toMatch(new RegExp(`the top \\d+ of \\d+ ${unit}s`));
    expect(record.provenance.options).toMatchObject({ unit });
  });

  it('the file’s circuit, run by itself, is as faithful as the record says', async () => {
    const { circuit: own, neurons } = graphOf(unit);
    const { clean, empty, circuits } = await withToy((toy) =>
      evaluateCircuits(toy, [neurons ? { circuit: own, neurons } : own], pairs, { metrics: [logitDiff] }),
    );
    const value = (values: typeof clean | undefined): number => values?.mean['logit-diff'] ?? NaN;
    const f = normalisedFaithfulness(value(circuits[0]), value(clean), value(empty)).value;
    expect(recordOf(unit).circuit.faithfulness).toBeCloseTo(f ?? NaN, 4);
  });
});

describe('the smallest circuit of a threshold', () => {
  it('is searched for, shown, and a point of the curve; none before it reaches it', async () => {
    const outcome = await circuit('searched', '--threshold', '0.7', '--json');
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordOf('searched');
    const { search } = outcome.json() as { search?: { threshold: number; found: { n: number; faithfulness: number } } };
    expect(search?.threshold).toBe(0.7);
    expect(record.circuit.faithfulness).toBeGreaterThanOrEqual(0.7);
    const points = record.curves[0]?.points ?? [];
    expect(points.find(({ n }) => n === record.circuit.n)?.faithfulness).toBeCloseTo(
      search?.found.faithfulness ?? NaN,
      4,
    );
    for (const { n, faithfulness } of points) if (n < record.circuit.n) expect(faithfulness).toBeLessThan(0.7);
    expect(record.smallest.map(({ threshold }) => threshold)).toEqual([0.7, 0.85, 0.95]);
    expect(record.flags.find(({ code }) => code === 'chosen-on-evaluation')?.text).toContain('that a search found');
  });

  it('among nodes as well, and one that no size reaches is said to be so', async () => {
    const nodes = await circuit('searched-nodes', '--unit', 'node', '--threshold', '0.6');
    expect(nodes.exitCode, nodes.stderr).toBe(0);
    expect(recordOf('searched-nodes').circuit.faithfulness).toBeGreaterThanOrEqual(0.6);
    const none = await circuit('unreached', '--threshold', '1000000');
    expect(none.exitCode, none.stderr).toBe(0);
    expect(codes(recordOf('unreached'))).toContain('threshold-not-reached');
  });
});

describe('knock-outs', () => {
  it('of every edge and node of the circuit shown are in the record as the library measures them', async () => {
    const outcome = await circuit('knocked', '--knock-out');
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordOf('knocked');
    const { circuit: own } = graphOf('knocked');
    const wanted = await withToy((toy) => minimality(toy, own, pairs, { metric: logitDiff }));
    expect(record.knockOut?.edges.map(({ name, verdict }) => [name, verdict])).toEqual(
      wanted.edges.map(({ name, verdict }) => [name, verdict]),
    );
    expect(record.knockOut?.edges).toHaveLength(record.circuit.kept);
    for (const [i, { change }] of (record.knockOut?.nodes ?? []).entries())
      expect(change).toBeCloseTo(wanted.nodes[i]?.change ?? NaN, 5);
    expect(outcome.stdout).toContain('dropped one at a time:');
    expect(outcome.stdout).not.toContain('unknown');
  });

  it('without a finite metric are unknown on the terminal, in the figures, in the record and on the page', async () => {
    const sets = { name: 'toy', title: 'Toy', description: 'Pairs of the toy.', metric: 'logit-diff' } as const;
    const found = await withToy((toy) =>
      findCircuit({
        model: toy,
        sets: { ...sets, discovery: pairs, evaluation: pairs, bos: 'in the ids' },
        metric: 'logit-diff',
        method: chooseMethod('eap', {}),
        draws: 0,
        knockOut: true,
      }),
    );
    const { edges, ...knockOut } = found.knockOut as Minimality;
    const gone = { value: NaN, change: NaN, faithfulness: null, faithfulnessChange: null, verdict: 'unknown' } as const;
    const lost = edges.map((drop, i) => (i === 0 ? { ...drop, ...gone } : drop));
    const without = { ...found, knockOut: { ...knockOut, edges: lost } };
    expect(describeFinding(without).join()).toMatch(/ edges are needed[^;]*, 1 unknown \(no finite metric/);
    expect(figuresOf(without).knockOut).toMatchObject({ edges: { unknown: 1 }, nodes: { unknown: 0 } });
    const files = new Map(circuitFiles(without, recordOf('knocked').provenance, String));
    const record = recordFromJson(files.get('result.json') ?? '') as CircuitRecord;
    expect(record.knockOut?.edges[0]).toMatchObject({ value: null, change: null, verdict: 'unknown' });
    expect(files.get('report.html')).toContain('no finite number');
  });
});

describe('what costs more, and is made where it is asked for', () => {
  const words = ['--method', 'eap-ig-inputs', '--compare-exact', '--ig-convergence', '--completeness'];
  it('agreement with exact patching, points of the path, completeness: on the terminal and in the record', async () => {
    const outcome = await circuit('judged', ...words);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordOf('judged');
    expect(record.agreement).toMatchObject({ reference: 'exact edge patching', edges: record.graph.edgeCount });
    const runs = (4 * record.graph.edgeCount).toLocaleString('en-US');
    expect(outcome.stderr).toContain(`exact patching: ${runs} patched runs`);
    for (const [, , , exact] of record.edges) expect(exact).toEqual(expect.any(Number));
    expect(codes(record)).toEqual(expect.arrayContaining([expect.stringMatching(/^ig-(un)?settled$/), 'completeness']));
    expect(outcome.stdout).toContain('against exact patching: rank correlation');
    expect(outcome.stdout).toContain('With 20 points on the path in place of 5');
  });

  it('agreement with exact patching of a sample of edges, which is told before and leaves the others without', async () => {
    const outcome = await circuit('sampled', '--compare-exact', '12', '--seed', '3');
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(
      /exact patching: 48 patched runs \(12 edges, 4 pairs\), [\d.]+ [GT]FLOP of arithmetic/,
    );
    expect(outcome.stdout).toContain('against exact patching of 12 edges: rank correlation');
    const record = recordOf('sampled');
    expect(record.agreement?.edges).toBe(12);
    expect(record.agreement?.reference).toContain('of 12 edges');
    expect(record.provenance.seed).toBe(3);
    const { scores } = graphOf('sampled');
    const sample = sampleEdges(scores.graph, 12, { seed: 3, scores });
    const wanted = await withToy((toy) => exactEdges(toy, pairs, { metric: logitDiff, edges: sample }));
    for (const [name, , , exact] of record.edges) {
      const { u, v } = scores.graph.parseEdge(name);
      if (sample.has(u, v)) expect(exact).toBeCloseTo(scoreAt(wanted, u, v), 6);
      else expect(exact).toBeNull();
    }
    expect(text('sampled', 'report.html')).toContain('Against exact patching of 12 edges');
  });

  it('the same in JSON, with what each size costs to read', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 judges a circuit a second time');
    const json = (await circuit('judged', ...words, '--json')).json();
    const record = recordOf('judged');
    expect(json['convergence']).toMatchObject({ steps: 5, referenceSteps: 20 });
    expect(json['completeness']).toMatchObject({ unit: 'edge', seed: 0 });
    const { reading } = json as { reading?: { n: number; edges: number; nodes: number; onFront: boolean }[] };
    expect(reading?.map(({ n }) => n)).toEqual(record.curves[0]?.points.map(({ n }) => n));
    expect(reading?.some(({ onFront }) => onFront)).toBe(true);
  });

  it('circuits of all tasks together, of equal size', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 scores six tasks of pocket');
    const out = path.join(root, 'all-tasks');
    const outcome = await runLimn(
      ['circuit', '--model', 'pocket', '--task', 'ioi', '--method', 'eap', '--pairs', '4', '--eval-pairs', '4'].concat([
        '--draws',
        '0',
        '--all-tasks',
        '--out',
        out,
      ]),
    );
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const [headline] = recordOf('all-tasks').curves;
    expect(headline?.baselines?.map(({ name }) => name)).toEqual(['delta-ranking', 'all-tasks']);
    expect(outcome.stdout).toContain('for all tasks together');
  });
});

describe('what does not go together', () => {
  it.each([
    [['--unit', 'node', '--method', 'exact'], 'usage/unit', 'exact'],
    [['--unit', 'neuron', '--method', 'information-flow'], 'usage/unit', 'information-flow'],
    [['--unit', 'node', '--method', 'learned-masks'], 'usage/unit', 'learned-masks'],
    [['--unit', 'node', '--selector', 'greedy'], 'usage/unit', 'greedy'],
    [['--unit', 'node', '--resume'], 'usage/unit', '--resume'],
    [
      ['--unit', 'node', '--method', 'eap-ig-activations', '--ig-variant', 'reference'],
      'usage/unit',
      '--ig-variant reference',
    ],
    [['--unit', 'node', '--shard', '1/2'], 'usage/unit', '--shard'],
    [['--unit', 'neuron', '--shard-size', '4'], 'usage/unit', '--shard-size'],
    [['--unit', 'neuron', '--threshold', '0.8'], 'usage/unit', '--threshold'],
    [['--unit', 'neuron', '--knock-out'], 'usage/unit', '--knock-out'],
    [['--unit', 'nodes'], 'usage/unknown-unit', 'did you mean node'],
    [['--method', 'learned-masks', '--shard', '1/2'], 'usage/shard', '--resume'],
    [['--method', 'learned-masks', '--shard-size', '3'], 'usage/shard', '--shard-size'],
    [['--method', 'learned-masks', '--ig-steps', '5'], 'usage/method-setting', '--ig-steps'],
    [['--method', 'eap', '--ig-rule', 'left'], 'usage/method-setting', '--ig-rule'],
    [['--method', 'eap', '--mask-updates', '5'], 'usage/method-setting', '--mask-updates'],
    [['--mask-sparsity', '2'], 'usage/method-setting', '--mask-sparsity'],
    [['--ig-convergence', '--method', 'eap'], 'usage/method-setting', '--ig-convergence'],
    [
      ['--ig-steps', '3', '--method', 'exact'],
      'usage/method-setting',
      '--ig-steps is for eap-ig-inputs and eap-ig-activations; exact has no path of integrated gradients',
    ],
    [
      ['--ig-variant', 'per-source'],
      'usage/method-setting',
      '--ig-variant is for eap-ig-activations; eap-ig-inputs has no variants',
    ],
    [
      ['--method', 'eap-ig-activations', '--ig-variant', 'reference', '--ig-convergence'],
      'usage/method-setting',
      '--ig-convergence',
    ],
    [['--ig-variant', 'referenc'], 'usage/unknown-variant', 'did you mean reference'],
    [['--compare-exact', '--method', 'exact'], 'usage/method-setting', '--compare-exact'],
    [['--all-tasks'], 'usage/pairs-source', '--task'],
    [['--unit', 'neuron', '--completeness'], 'usage/unit', '--completeness'],
    [['--threshold', '0'], 'usage/bad-number', '--threshold'],
    [['--mask-rate', '-1'], 'usage/bad-number', '--mask-rate'],
  ])('%j is refused before a model is opened', async (words, code, named) => {
    const out = path.join(root, 'refused');
    const outcome = await runLimn(['circuit', '--model', 'no-such-model', '--data', data, '--out', out, ...words]);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain(`code: ${code}`);
    expect(outcome.stderr).toContain(named);
    expect(existsSync(out)).toBe(false);
  });
});
