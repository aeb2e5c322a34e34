// The bench commands run their whole path at a tiny size and leave what they promise.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { randomGpt2, saveGpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { RECIPE } from '@limn/pocket';
import { testGpu } from '@limn/testing';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { studyDrawings } from '../circuits/drawings.mjs';
import type { BenchRecord, JobRecord } from '../harness/record.mjs';
import type { KeptRatios } from '../harness/regression.mjs';
import type { Timing } from '../harness/statistics.mjs';
import { interval, intervalText } from '../interval.mjs';
import { studyMarkdown } from '../circuits/markdown.mjs';
import { STUDY_METHODS, type Study } from '../circuits/study.mjs';
import { straightLine, type Point } from '../eap-scaling/straight-line.mjs';
import { TABLE_METHODS, type Table } from '../table/cell.mjs';
import { tableMarkdown } from '../table/markdown.mjs';

const bench = path.join(import.meta.dirname, '..');
const out = mkdtempSync(path.join(tmpdir(), 'limn-bench-'));
const tiny = ['--layers', '2', '--heads', '2', '--width', '16', '--vocabulary', '50', '--positions', '32'];

const argv = process.argv;
let runs = 0;

afterEach(() => {
  process.argv = argv;
  process.exitCode = undefined;
  vi.restoreAllMocks();
});
afterAll(() => rmSync(out, { recursive: true, force: true }));

/** Runs bench/NAME.mts with these arguments, as `npm run` would, but in this process; returns what it printed. */
async function run(name: string, ...args: string[]): Promise<string> {
  const printed: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text = '') => void printed.push(String(text)));
  process.argv = [process.execPath, `bench/${name}.mts`, '--out', out, ...args];
  // Another query is another module: a command that is run twice starts twice.
  runs += 1;
  await import(/* @vite-ignore */ `../${name}.mts?run=${runs}`);
  return printed.join('\n');
}

/** The one file that a command left: NAME-<adapter>.json. */
function resultOf(name: string): unknown {
  const [file, ...others] = readdirSync(out).filter((each) => each.startsWith(name) && each.endsWith('.json'));
  expect(others).toEqual([]);
  return JSON.parse(readFileSync(path.join(out, file!), 'utf8'));
}

/** Saves a random model of one head that speaks pocket's tasks; returns its weights' sha256. */
async function saveTinyPocket(folder: string): Promise<string> {
  mkdirSync(folder);
  const { vocabulary, positions: maxPositions } = RECIPE.model;
  const sizes = { vocabulary, maxPositions, layers: 1, heads: 1, width: 4, mlpWidth: 4, initializerRange: 0.9 };
  const model = await randomGpt2(await testGpu(), sizes, 0);
  await saveGpt2(model, openFolder(folder));
  const { fingerprint } = model.info;
  model.dispose();
  return fingerprint;
}

/** Dispatches, submits and time of something that ran. */
interface Cost {
  readonly dispatches: number;
  readonly submits: number;
  readonly seconds: number;
}
const ran = ({ dispatches, submits, seconds }: Cost): boolean => dispatches >= submits && submits > 0 && seconds > 0;

test('shapes: default limits, a forward and a backward pass, and every edge of EAP-IG', async () => {
  const { source } = (await testGpu()).capabilities;
  const printed = await run('shapes', ...tiny);
  expect(printed).toContain("every limit at WebGPU's default");
  const result = resultOf('shapes-') as {
    forward: Cost;
    backward: Cost;
    eapIg: Cost;
    weightBytes: number;
    bytesPeak: number;
  };
  // (3H + 1)(L + (H + 1)·L(L − 1)/2) + LH + 1 + L(H + 1) edges with L = H = 2.
  expect(result).toMatchObject({ source, shape: { layers: 2, heads: 2, width: 16 }, eapIg: { steps: 5, edges: 46 } });
  expect([result.forward, result.backward, result.eapIg].every(ran)).toBe(true);
  expect(result.forward.dispatches).toBeLessThan(result.backward.dispatches);
  // wte, wpe, two layers of 12·C² + 13·C and the last norm, in f32; buffers may be rounded up.
  const weights = 4 * (50 * 16 + 32 * 16 + 2 * (12 * 16 ** 2 + 13 * 16) + 2 * 16);
  expect(result.weightBytes).toBeGreaterThanOrEqual(weights);
  expect(result.bytesPeak).toBeGreaterThan(result.weightBytes);
});

test('large shape: weights that are made as they are read, a forward pass, and what it took', async () => {
  const { source } = (await testGpu()).capabilities;
  const printed = await run('large-shape', ...tiny);
  expect(printed).toContain('other in f16 on');
  const result = resultOf('large-shape-other-f16') as {
    forward: Cost;
    weightBytes: number;
    gpuPeak: number;
    hostPeak: number;
  };
  expect(result).toMatchObject({ source, shape: { layers: 2, heads: 2, width: 16 }, weights: 'f16', tokens: 16 });
  expect(ran(result.forward)).toBe(true);
  // Matrices and embedding in f16; positions, biases and norms in f32.
  const weights = 2 * (50 * 16 + 2 * 12 * 16 ** 2) + 4 * (32 * 16 + 2 * 13 * 16 + 2 * 16);
  expect(result.weightBytes).toBeGreaterThanOrEqual(weights);
  expect(result.gpuPeak).toBeGreaterThan(result.weightBytes);
  expect(result.hostPeak).toBeGreaterThan(result.gpuPeak);
});

test('f16 error: small on pocket and on a random model, and not zero', async () => {
  const printed = await run('f16-error', ...tiny, '--prompts', '2');
  type Change = Record<'positions' | 'logits' | 'worstLogit' | 'meanKl' | 'worstKl' | 'sameTop' | 'gradient', number>;
  const result = resultOf('f16-error-') as { pocket: Change; random: Change };
  expect(printed).toContain('pocket, 12 prompts of its tasks');
  for (const change of [result.pocket, result.random]) {
    // Weights move by at most 2⁻¹¹ of themselves, and errors of a few layers add up.
    for (const part of [change.logits, change.gradient]) {
      expect(part).toBeGreaterThan(0);
      expect(part).toBeLessThan(4 * 2 ** -11);
    }
    expect(change.meanKl).toBeLessThan(1e-5);
    expect(change.worstKl).toBeGreaterThanOrEqual(change.meanKl);
  }
  // 4 prompts of 16 tokens.
  expect(result.random.positions).toBe(64);
});

test('cost of EAP: every batch is kept, and a stopped run goes on', async () => {
  const { source } = (await testGpu()).capabilities;
  const cost = (): Promise<string> =>
    run('eap-cost', ...tiny, '--pairs', '4', '--batch', '2', '--tokens', '5', '--steps', '2');
  const printed = await cost();
  type Batch = Record<'seconds' | 'bytes', Record<string, number>> & { pairs: number };
  type Cost = { ratios: Record<string, number>; peaks: Record<string, number>; batches: Batch[] };
  const result = resultOf('eap-cost-other') as Cost;
  expect(result).toMatchObject({ source, shape: { layers: 2 }, pairs: 4, tokens: 5, steps: 2, batchSize: 2 });
  expect(result.batches.map(({ pairs }) => pairs)).toEqual([2, 2]);
  const total = (job: string) => result.batches.reduce((sum, { seconds }) => sum + (seconds[job] ?? NaN), 0);
  expect(result.ratios['EAP-IG']).toBeCloseTo(total('EAP-IG') / total('bare model'), 12);
  expect(result.ratios['EAP']).toBeCloseTo(total('EAP') / total('bare model, one backward'), 12);
  for (const bytes of Object.values(result.peaks)) expect(bytes).toBeGreaterThan(0);
  expect(printed).toContain('4/4 pairs');

  const [file = ''] = readdirSync(out).filter((each) => each.startsWith('eap-cost-other'));
  const [first] = result.batches;
  writeFileSync(path.join(out, file), JSON.stringify({ ...result, batches: [first] }));
  const resumed = await cost();
  expect(resumed).not.toContain('2/4 pairs');
  expect(resumed).toContain('4/4 pairs');
  expect((resultOf('eap-cost-other') as Cost).batches[0]).toEqual(first);
});

test('scaling of EAP-IG: three sweeps, their lines, and a drawing', async () => {
  const few = ['--pairs', '2', '--steps', '2', '--tokens', '5', '--repeats', '1', '--factor', '0.5', '--factor', '2'];
  const printed = await run('eap-scaling', ...tiny, ...few);
  const { sweeps } = resultOf('eap-scaling-') as { sweeps: { size: string; eapIg: Point[]; bare: Point[] }[] };
  expect(sweeps.map(({ size }) => size)).toEqual(['pairs', 'steps', 'layers']);
  for (const { size, eapIg, bare } of sweeps) {
    for (const points of [eapIg, bare]) {
      expect(points.map(({ x }) => x)).toEqual([1, 4]);
      expect(points.every(({ seconds }) => seconds > 0)).toBe(true);
    }
    expect(printed).toContain(`${size}: R² = `);
  }
  const [drawing = ''] = readdirSync(out).filter((each) => each.startsWith('eap-scaling-') && each.endsWith('.svg'));
  const svg = readFileSync(path.join(out, drawing), 'utf8');
  expect(svg.match(/<circle/g)).toHaveLength(12);
  expect(svg).not.toContain('NaN');
});

test('a straight line through points on one, and beside one', () => {
  const on = [1, 2, 5].map((x) => ({ x, seconds: 3 + 2 * x }));
  expect(straightLine(on)).toMatchObject({ start: expect.closeTo(3, 12), slope: expect.closeTo(2, 12) });
  expect(straightLine(on).rSquared).toBeCloseTo(1, 12);
  // The line is their mean, 2: nothing is explained, and 1 is as far off as it is high.
  const beside = straightLine([1, 2, 3].map((x) => ({ x, seconds: x === 2 ? 4 : 1 })));
  expect(beside).toMatchObject({ slope: 0, start: 2, rSquared: 0 });
  expect(beside.farthest).toBe(1);
  expect(() => straightLine([{ x: 1, seconds: 1 }])).toThrow('two different points');
});

test('kernels: the comparisons of the tests that were named, and planned dispatches', async () => {
  const { source } = (await testGpu()).capabilities;
  const printed = await run('kernels', 'test/ops/gelu.test.ts', ...tiny);
  expect(printed).toMatch(/^gelu +\d+ +\d+ +0\.\d+/m);
  const result = resultOf('kernels-') as {
    cases: number;
    kernels: { kernel: string; cases: number; elements: number; ratio: number }[];
    planned: { dispatches: Record<string, number> };
  };
  expect(result).toMatchObject({ source, failed: [], planned: { shape: { layers: 2 }, rows: 2, tokens: 16 } });
  expect(result.kernels.map(({ kernel }) => kernel)).toEqual(['gelu']);
  expect(result.kernels.reduce((sum, { cases }) => sum + cases, 0)).toBe(result.cases);
  expect(result.kernels.every(({ cases, elements, ratio }) => elements >= cases && cases > 0 && ratio <= 1)).toBe(true);
  const {
    forward = 0,
    forwardAndBackwardToEmbeddings = 0,
    forwardAndBackwardToParameters = 0,
  } = result.planned.dispatches;
  expect(forward).toBeGreaterThan(0);
  expect(forwardAndBackwardToEmbeddings).toBeGreaterThan(forward);
  expect(forwardAndBackwardToParameters).toBeGreaterThan(forwardAndBackwardToEmbeddings);
});

test('the task table: every method under every metric, and a task that is done is not done again', async () => {
  const folder = path.join(out, 'model');
  const fingerprint = await saveTinyPocket(folder);

  const table = (): Promise<string> =>
    run('task-table', '--model', folder, '--task', 'gender', '--pairs', '2', '--eval-pairs', '2');
  const printed = await table();
  const result = resultOf('task-table-') as Table;
  expect(result).toMatchObject({ table: 'limn.task-table', model: folder, weightsSha256: fingerprint, pairs: 2 });
  expect(result.cells.map(({ task, metric }) => `${task} ${metric}`)).toEqual([
    'gender logit-diff',
    'gender prob-diff',
    'gender kl',
  ]);
  for (const { methods, baselines, metric } of result.cells) {
    expect(Object.keys(methods)).toEqual([...TABLE_METHODS]);
    expect(Number.isFinite(baselines.clean) && Number.isFinite(baselines.corrupted)).toBe(true);
    for (const method of TABLE_METHODS) {
      // (3H + 1)·L + LH + 1 + L(H + 1) edges with L = H = 1; the whole model is perfectly faithful to itself.
      expect(methods[method].points.at(-1)).toMatchObject({ n: 8, kept: 8 });
      // A quotient of differences between logits that are nearly alike: 1 to within their rounding over them.
      expect(methods[method].points.at(-1)?.faithfulness).toBeCloseTo(1, 3);
      const compared = method !== 'exact' && !(method === 'eap' && metric === 'kl');
      expect(methods[method].agreement !== null).toBe(compared);
    }
  }
  expect(printed).toContain(tableMarkdown(result));

  const again = await table();
  expect(again).toMatch(/^gender: already in /);
  expect(resultOf('task-table-')).toEqual(result);
});

test('the study of circuits: every method on two tasks, what was found is not looked for again, and a page with its drawings', async () => {
  const folder = path.join(out, 'study-model');
  const fingerprint = await saveTinyPocket(folder);
  const page = path.join(out, 'circuits.md');
  const few = ['--size', '4', '--pairs', '2', '--eval-pairs', '2', '--seed', '0', '--task', 'gender', '--task', 'sva'];
  const study = (): Promise<string> => run('circuits', '--model', folder, '--page', page, ...few);
  expect(await study()).toContain('seed 0, gender');
  const first = resultOf('circuits-') as Study;
  expect(first.models).toEqual([{ name: folder, weightsSha256: fingerprint }]);
  expect(first.findings.map(({ task, seed }) => `${task} ${seed}`)).toEqual(['gender 0', 'sva 0']);
  for (const { methods } of first.findings)
    for (const method of STUDY_METHODS) {
      // 8 edges: (3H + 1)·L + LH + 1 + L(H + 1) with L = H = 1; the whole model is perfectly faithful to itself.
      expect(methods[method].curve.at(-1)?.n).toBe(8);
      expect(methods[method].curve.at(-1)?.faithfulness).toBeCloseTo(1, 4);
      expect(methods[method].agreement === null).toBe(method === 'exact');
    }
  expect(first.comparisons.map(({ seed, n, transfers }) => [seed, n, transfers.length])).toEqual([[0, 4, 4]]);

  expect(await study()).not.toContain('seed 0, gender');
  expect(resultOf('circuits-')).toEqual(first);
  expect(readFileSync(page, 'utf8')).toBe(studyMarkdown(first));
  for (const [name, svg] of Object.entries(studyDrawings(first))) {
    expect(readFileSync(path.join(out, name), 'utf8')).toBe(svg);
    expect(svg).not.toContain('NaN');
  }
});

test('the committed study is what its page and drawings show', () => {
  const [file = ''] = readdirSync(path.join(bench, 'results')).filter((name) => /^circuits-.*\.json$/.test(name));
  const study = JSON.parse(readFileSync(path.join(bench, 'results', file), 'utf8')) as Study;
  const docs = path.join(bench, '../docs');
  expect(readFileSync(path.join(docs, 'circuits.md'), 'utf8')).toBe(studyMarkdown(study));
  for (const [name, svg] of Object.entries(studyDrawings(study)))
    expect(readFileSync(path.join(docs, name), 'utf8')).toBe(svg);
});

test('the mean of a few with its 95 % confidence interval', () => {
  // s = 1 and t(.975, 2) = 4.303: 4.303 / √3.
  expect(interval([1, 2, 3])).toMatchObject({ mean: 2, half: expect.closeTo(2.4843, 4), least: 1, most: 3 });
  expect(interval([7])).toEqual({ mean: 7, half: null, least: 7, most: 7 });
  expect(interval([])).toBeUndefined();
  expect([intervalText([1, 2, 3], 1), intervalText([5, 5], 1), intervalText([-1], 0), intervalText([], 1)]).toEqual([
    '2.0 ± 2.5',
    '5.0',
    '−1',
    '–',
  ]);
});

test('the committed table says in words what its numbers say', () => {
  const results = path.join(bench, 'results');
  const tables = readdirSync(results).filter((name) => /^task-table-.*\.json$/.test(name));
  expect(tables).not.toEqual([]);
  for (const name of tables) {
    const table = JSON.parse(readFileSync(path.join(results, name), 'utf8')) as Table;
    expect(readFileSync(path.join(results, name.replace(/json$/, 'md')), 'utf8')).toBe(tableMarkdown(table));
  }
});

test('bench: a kernel and a whole job, checked, timed and put on record; bench:check keeps and compares', async () => {
  const asked = ['--rounds', '2', '--filter', 'softmax 512|circuits measured on one pair', '--only', 'kernels,jobs'];
  const printed = await run('bench', ...asked, ...tiny.map((value) => (value === '32' ? '80' : value)));
  const folder = readdirSync(out).find((name) => existsSync(path.join(out, name, 'bench.json')))!;
  const file = path.join(out, folder, 'bench.json');
  const record = JSON.parse(readFileSync(file, 'utf8')) as BenchRecord;
  expect(record.failures).toEqual([]);
  expect(record.jobs.map(({ name }) => name)).toEqual([
    'softmax 512 × 768',
    '2 layers of 2 heads, 16 wide, 50 words: 3 circuits measured on one pair of 17 tokens',
  ]);
  const [softmax] = record.jobs as [JobRecord, JobRecord];
  // Exactly one dispatch in one submit, and nothing made for it.
  expect(softmax.counts).toMatchObject({
    dispatches: 1,
    submits: 1,
    buffersCreated: 0,
    bindGroupsCreated: 0,
    pipelinesCreated: 0,
  });
  expect(softmax.beside.map(({ name, kind }) => [name, kind])).toEqual([['copy kernel of as many bytes', 'own']]);
  expect(softmax.time.median).toBeGreaterThan(0);
  expect(printed).toContain('softmax 512 × 768');
  expect(readFileSync(path.join(out, folder, 'bench.md'), 'utf8')).toContain('softmax 512 × 768');

  const check = ['--rounds', '2', '--filter', 'softmax 512', '--only', 'kernels'];
  expect(await run('bench-check', ...check)).toMatch(/nothing is kept for/);
  expect(await run('bench-check', ...check, '--write')).toMatch(/ratios\.json/);
  const kept = path.join(out, folder, 'ratios.json');
  const ratios = JSON.parse(readFileSync(kept, 'utf8')) as KeptRatios;
  writeFileSync(
    kept,
    JSON.stringify({
      ...ratios,
      counts: { 'softmax 512 × 768': { ...ratios.counts['softmax 512 × 768'], dispatches: 7 } },
    }),
  );
  expect(await run('bench-check', ...check)).toMatch(/changed {2}softmax 512 × 768: dispatches: kept 7, now 1/);
  expect(process.exitCode).toBe(1);

  const compared = path.join(out, 'compared.json');
  writeFileSync(
    compared,
    JSON.stringify({ ...record, jobs: record.jobs.map((job) => ({ ...job, time: scaled(job.time, 3) })) }),
  );
  process.argv = [process.execPath, 'bench/bench-compare.mts', file, compared];
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text = '') => void lines.push(String(text)));
  await import('../bench-compare.mjs');
  expect(lines.find((line) => line.startsWith('softmax'))).toMatch(/0\.33× !/);
  expect(process.exitCode).toBe(0);
});

const scaled = (time: Timing, by: number): Timing =>
  Object.fromEntries(Object.entries(time).map(([name, value]) => [name, (value as number) * by])) as unknown as Timing;
