// `limn circuit` on the closed-form toy: every edge score of five methods against float64, the files it writes, abort, and atomic replacement.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { logitDiff, parseGraphJson, scoreEdges } from '@limn/attribution';
import { recordFromJson } from '@limn/report';
import { lentGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../src/model-source.js';
import { runLimn, type Outcome } from './run-limn.js';
import { toyCircuit, toyPair, writeToyModel } from './toy-model.js';
import { expectToyScores } from './toy-scores.js';

interface Golden {
  readonly lossClean: number;
  readonly lossCorrupted: number;
}
const golden = JSON.parse(readFileSync(path.join(import.meta.dirname, 'golden/eap-toy.json'), 'utf8')) as Golden;

let root: string;
let model: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-circuit-'));
  model = path.join(root, 'model');
  writeToyModel(model);
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const circuit = (out: string, words: readonly string[], signal?: AbortSignal) =>
  runLimn([...toyCircuit(model, out), '--metric', 'logit-diff', '--draws', '0', ...words, '--json'], signal);

/** What the command says where no method is given. */
let defaults: Outcome | undefined;
describe('scores of the toy', () => {
  it.each([
    ['eap', ['--method', 'eap']],
    // Without settings: EAP-IG over inputs with five points by the left rule.
    ['ig_k0_m1', []],
    ['ig_k1_m', ['--method', 'eap-ig-inputs', '--ig-steps', '5', '--ig-rule', 'right']],
    ['clean_corrupted', ['--method', 'clean-corrupted']],
    ['exact', ['--method', 'exact']],
  ])('%s', async (key, words) => {
    const out = path.join(root, key);
    const outcome = await circuit(out, words);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expectToyScores(out, key);
    if (words.length === 0) defaults = outcome;
  });
});

describe('what is written', () => {
  it('is a graph, a record with provenance, and a page, named in the JSON line', async () => {
    const out = path.join(root, 'ig_k0_m1');
    const outcome = defaults as Outcome;
    expect(outcome.json()).toMatchObject({ ok: true, command: 'circuit', out });
    expect(readdirSync(out).sort()).toEqual(['graph.json', 'report.html', 'result.json']);
    const record = recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
    expect(outcome.json()).toMatchObject({
      baselines: record.baselines,
      circuit: { n: record.circuit.n, kept: record.circuit.kept, faithfulness: record.circuit.faithfulness },
      smallest: record.smallest,
    });
    expect(record.baselines.clean).toBeCloseTo(-golden.lossClean, 5);
    expect(record.baselines.corrupted).toBeCloseTo(-golden.lossCorrupted, 5);
    expect(record.method).toMatchObject({ name: 'eap-ig-inputs', igSteps: 5, igRule: 'left' });
    expect(record.edges).toHaveLength(record.graph.edgeCount);
    const { provenance } = record;
    expect(provenance.model.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(provenance.commandLine).toContain(`limn circuit --model ${model}`);
    expect(provenance.seed).toBeNull();
    // The pairs are token ids, and nothing was put in front of them.
    expect(provenance.prependBos).toBe(false);
    expect(Object.keys(provenance.versions).sort()).toEqual(['limn', 'node', 'webgpu']);
    for (const { points } of record.curves) expect(points.at(-1)?.faithfulness).toBeCloseTo(1, 3);
    const page = readFileSync(path.join(out, 'report.html'), 'utf8');
    expect(page).toContain('<!doctype html>');
    expect(page + JSON.stringify(record)).not.toContain('neverprintthistoken');
  });

  it('says on the terminal, in the record and on the page what puts the figures in doubt', async () => {
    const out = path.join(root, 'doubts');
    const words = [...toyCircuit(model, out), '--ig-rule', 'trapezoid'];
    const { exitCode, stdout, stderr } = await runLimn(words);
    expect(exitCode, stderr).toBe(0);
    const record = recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
    expect(record.method.igRule).toBe('trapezoid');
    expect(record.flags.map(({ code }) => code)).toEqual(
      expect.arrayContaining(['size-zero', 'faithfulness-above-one', 'same-pairs', 'few-pairs']),
    );
    const page = readFileSync(path.join(out, 'report.html'), 'utf8');
    for (const { code } of record.flags) expect(page).toContain(`<code>${code}</code>`);
    const notes = stdout.split('\n').filter((line) => line.startsWith('  note: '));
    expect(notes).toHaveLength(4);
    expect(notes[0]).toContain('Faithfulness is above 1 at some sizes');
    // So few edges that random circuits do no worse.
    expect(notes[1]).toContain('no better than chance');
    expect(notes[3]).toContain('a mean over one pair only');
  });

  it('does not depend on time: the same call gives the same graph and record', async () => {
    const out = path.join(root, 'eap');
    const read = (): string[] =>
      ['graph.json', 'result.json'].map((name) => readFileSync(path.join(out, name), 'utf8'));
    const before = read();
    const { options } = recordFromJson(before[1] as string).provenance;
    expect(Object.keys(options).sort()).toEqual([
      'ablation',
      'bos',
      'data',
      'draws',
      'method',
      'metric',
      'model',
      'selector',
    ]);
    await circuit(out, ['--method', 'eap']);
    expect(read()).toEqual(before);
  });
});

describe('doubts', () => {
  const pairs = 5;
  const record = (out: string) => recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));
  const search = (out: string, words: readonly string[]) => {
    const data = path.join(root, 'five.jsonl');
    const lines = Array.from({ length: pairs }, (_, i) =>
      JSON.stringify({ clean: [1, 4, 4 + i, 2, 9], corrupted: [1, 4, 3, 2, 9], correct: [8], incorrect: [5] }),
    );
    writeFileSync(data, lines.join('\n'));
    return runLimn(['circuit', '--model', model, '--data', data, '--out', out, ...words, '--json']);
  };

  it('bands, controls, stability, pruned edges and further metrics are recorded, and agree with the page and the JSON line', async () => {
    const out = path.join(root, 'doubted');
    // The divergence is 0 on clean prompts and below 0 elsewhere, so that every resample has a denominator.
    const outcome = await search(out, ['--draws', '2', '--metric', 'kl']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { curves, circuit, stability, pruned, also, bands, edges, metric } = record(out);
    expect(metric.name).toBe('kl');
    // The task metric is not repeated.
    expect(Object.keys(also ?? {})).toEqual(['accuracy']);
    expect(bands).toEqual({ confidence: 0.95, resamples: 1000, seed: 0 });
    for (const { band, faithfulness } of curves[0]?.points ?? []) {
      if (!band || band.low === null || band.high === null) throw new Error('a point has no band');
      // Percentiles of 1,000 draws of five pairs enclose the mean of the five.
      expect(band.low).toBeLessThanOrEqual((faithfulness ?? NaN) + 1e-6);
      expect(band.high).toBeGreaterThanOrEqual((faithfulness ?? NaN) - 1e-6);
    }
    const [random, delta] = curves[0]?.baselines ?? [];
    expect([random?.name, random?.draws, delta?.name, delta?.draws]).toEqual([
      'random-connected',
      2,
      'delta-ranking',
      1,
    ]);
    // As many edges as the curve's own circuit has after pruning.
    for (const { n, kept } of random?.points ?? [])
      expect(kept).toBe(curves[0]?.points.find((point) => point.n === n)?.kept);
    expect(stability?.resamples).toBe(100);
    expect(stability?.jaccard.withAll).toBeGreaterThan(0);
    expect(stability?.jaccard.withAll).toBeLessThanOrEqual(1);
    for (const [index, share] of stability?.selected ?? []) {
      expect(edges[index]).toBeDefined();
      expect(share).toBeLessThanOrEqual(1);
    }
    expect(pruned?.edges).toHaveLength(circuit.n - circuit.kept);
    expect(outcome.json()).toMatchObject({
      doubts: { jaccard: stability?.jaccard.withAll, pruned: pruned?.edges.length },
    });
    const page = readFileSync(path.join(out, 'report.html'), 'utf8');
    expect(page).toContain('random connected circuits, mean of 2');
    expect(page).toContain('Found again');
  });

  it('of one pair written three times there is no band and no stability, and the copies are counted', async () => {
    const data = path.join(root, 'three.jsonl');
    writeFileSync(data, Array.from({ length: 3 }, () => JSON.stringify(toyPair)).join('\n'));
    const out = path.join(root, 'copies');
    const words = [
      'circuit',
      '--model',
      model,
      '--data',
      data,
      '--out',
      out,
      '--draws',
      '0',
      '--method',
      'eap',
      '--json',
    ];
    const { exitCode, stderr } = await runLimn(words);
    expect(exitCode, stderr).toBe(0);
    const { curves, stability, flags } = record(out);
    expect(stability).toBeUndefined();
    for (const { band } of curves.flatMap(({ points }) => points))
      expect(band).toMatchObject({ low: null, high: null });
    expect(flags).toContainEqual({
      code: 'duplicate-pairs',
      text: expect.stringContaining('Of the 3 pairs of search and measurement, 2 repeat another'),
    });
    expect(flags.find(({ code }) => code === 'stability-unknown')?.text).toContain('3 pairs are one and the same');
  });

  it('--draws 0 leaves random circuits out; shards and exact patching have a stability, and what has none says why', async () => {
    const out = path.join(root, 'undoubted');
    const outcome = await search(out, ['--draws', '0', '--method', 'exact']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { curves, stability, flags, provenance } = record(out);
    expect(curves[0]?.baselines?.map(({ name }) => name)).toEqual(['delta-ranking']);
    expect(stability?.resamples).toBe(100);
    expect(flags.map(({ code }) => code)).not.toContain('stability-unknown');
    expect(provenance.options).toMatchObject({ draws: 0 });
    // Shards keep what resamples need.
    const [sharded, whole] = [path.join(root, 'sharded'), path.join(root, 'unsharded')];
    await search(sharded, ['--draws', '0', '--resume', '--method', 'eap']);
    await search(whole, ['--draws', '0', '--method', 'eap']);
    expect(record(sharded).stability).toEqual(record(whole).stability);
    const masks = path.join(root, 'masks-unstable');
    await search(masks, ['--draws', '0', '--method', 'learned-masks', '--mask-updates', '1']);
    expect(record(masks).flags.find(({ code }) => code === 'stability-unknown')?.text).toContain('masks are learnt');
  });
});

describe('methods and ablations', () => {
  const record = (out: string) => recordFromJson(readFileSync(path.join(out, 'result.json'), 'utf8'));

  it.each([
    ['eap-ig-activations', 'patch', { igSteps: 5, igRule: 'right', selector: 'top-n' }],
    ['information-flow', 'patch', { selector: 'greedy' }],
    ['eap', 'zero', { selector: 'top-n' }],
    ['exact', 'mean', { selector: 'top-n' }],
    ['eap', 'mean-positional', { selector: 'top-n' }],
  ])('%s with %s', async (method, ablation, settings) => {
    const out = path.join(root, `${method}-${ablation}`);
    const outcome = await circuit(out, ['--method', method, '--ablation', ablation]);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { method: kept, baselines, curves, provenance } = record(out);
    expect(kept).toMatchObject({ name: method, ablation, ...settings });
    expect(provenance.options).toMatchObject({ method, ablation, ...settings });
    // The whole graph is the clean run whatever removed edges would carry; the empty one is what they all carry.
    for (const { points } of curves) expect(points.at(-1)?.faithfulness).toBeCloseTo(1, 3);
    const empty = {
      patch: -golden.lossCorrupted,
      zero: 2.0675584081,
      mean: undefined,
      'mean-positional': -golden.lossCorrupted,
    };
    const want = empty[ablation as keyof typeof empty];
    // One pair: its positional means are its corrupted run.
    if (want !== undefined) expect(baselines.corrupted).toBeCloseTo(want, 5);
    const page = readFileSync(path.join(out, 'report.html'), 'utf8');
    expect(page).toContain(
      { patch: 'with everything corrupted', zero: 'every node at zero' }[ablation] ?? 'at its mean output',
    );
  });

  it('--ig-variant reference scores as the library’s reference variant does, and says so in graph and record', async () => {
    const method = 'eap-ig-activations';
    const out = path.join(root, 'reference');
    const outcome = await circuit(out, ['--method', method, '--ig-variant', 'reference']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const { scores, provenance } = parseGraphJson(readFileSync(path.join(out, 'graph.json'), 'utf8'));
    expect(provenance).toMatchObject({ method, igVariant: 'reference' });
    expect(record(out).provenance.options).toMatchObject({ method, igVariant: 'reference' });
    expect(record(out).method.title).toContain('reference implementation');
    using gpu = await lentGpu();
    using toy = await openModel(gpu, model);
    const wanted = await scoreEdges(toy.hooked, [toyPair], { metric: logitDiff, method, variant: 'reference' });
    const own = parseGraphJson(readFileSync(path.join(root, `${method}-patch`, 'graph.json'), 'utf8')).scores;
    const farthest = (others: typeof scores): number =>
      Math.max(
        ...[...scores.graph.edges()].map(({ u, v }) => {
          const i = scores.graph.dense(u, v);
          return Math.abs((scores.values[i] ?? NaN) - (others.values[i] ?? NaN));
        }),
      );
    // f32 sums of scores below 0.1, against a difference of the two variants that is a part of them.
    expect(farthest(wanted)).toBeLessThan(1e-6);
    expect(farthest(own)).toBeGreaterThan(1e-3);
  });

  it.each([
    [['--method', 'information-flow', '--selector', 'top-n'], 'usage/selector'],
    [['--method', 'eap-ig-inputs', '--ablation', 'zero'], 'usage/ablation'],
    [['--ablation', 'noughts'], 'usage/unknown-ablation'],
    [['--selector', 'best'], 'usage/unknown-selector'],
  ])('%j is refused before anything is written', async (words, code) => {
    const out = path.join(root, 'refused');
    const outcome = await circuit(out, words);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.json()).toMatchObject({ ok: false, error: { code } });
    expect(existsSync(out)).toBe(false);
  });
});

describe('stopping and failing', () => {
  it('stops on an abort with exit code 130, and keeps the earlier output', async () => {
    const out = path.join(root, 'eap');
    const before = readFileSync(path.join(out, 'graph.json'), 'utf8');
    const entries = readdirSync(root).sort();
    const outcome = await circuit(out, ['--method', 'exact'], AbortSignal.abort());
    expect(outcome.exitCode).toBe(130);
    expect(outcome.json()).toMatchObject({ ok: false, exitCode: 130, error: { code: 'aborted' } });
    expect(readFileSync(path.join(out, 'graph.json'), 'utf8')).toBe(before);
    expect(readdirSync(root).sort()).toEqual(entries);
  });

  it.each([1, 5, 20])('leaves nothing behind when it is aborted after %i ms', async (delay) => {
    const out = path.join(root, 'never');
    const outcome = await circuit(out, ['--method', 'exact'], AbortSignal.timeout(delay));
    expect(outcome.exitCode).toBe(130);
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(root).filter((name) => name.includes('partial'))).toEqual([]);
  });
});
