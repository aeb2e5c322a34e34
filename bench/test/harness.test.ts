// The benches' harness without a device: turns, statistics, what is on record, what is reached, what got worse.
import { expect, test } from 'vitest';
import { adapterSlug } from '../harness/adapter.mjs';
import { shareOf } from '../harness/ceiling-share.mjs';
import { clocksOf } from '../harness/clock.mjs';
import type { Contender } from '../harness/contender.mjs';
import { drawing } from '../harness/drawing.mjs';
import { measure } from '../harness/measure.mjs';
import { compare, numbers, places } from '../harness/numbers.mjs';
import { performancePage } from '../harness/performance-page.mjs';
import { reachTable } from '../harness/reach.mjs';
import { parseRecord, type AdapterRecord, type BenchRecord, type JobRecord } from '../harness/record.mjs';
import { parseRatios, ratiosOf, regressions, type KeptRatios } from '../harness/regression.mjs';
import { sideBySide } from '../harness/side-by-side.mjs';
import { limitOf, purposeOf, sharesOf } from '../harness/shares.mjs';
import { quantile, ratioOf, timingOf } from '../harness/statistics.mjs';
import { summary } from '../harness/summary.mjs';
import { digits, duration, percent } from '../harness/text.mjs';

const adapter: AdapterRecord = {
  vendor: 'acme',
  architecture: 'anvil',
  device: 'ACME <Anvil> 9000',
  description: 'ACME <Anvil> 9000: 570.1',
  source: 'system',
  isSoftware: false,
  f16: true,
  subgroups: [32, 32],
  timestamps: true,
};
const flat = (median: number) => ({ median, low: median * 0.95, high: median * 1.05, least: median * 0.9 });

function job(name: string, median: number, more: Partial<JobRecord> = {}): JobRecord {
  return {
    name,
    group: 'kernels',
    work: { flops: 2e9 },
    clock: 'gpu',
    time: flat(median),
    checked: 'x',
    beside: [],
    programs: ['matmul_tiled[TA=0]'],
    counts: { dispatches: 1, submits: 1, buffersCreated: 0, bindGroupsCreated: 0, pipelinesCreated: 0, bytesPeak: 9 },
    ...more,
  };
}

const peer = (name: string, ratio: number, kind: 'peer' | 'own' = 'peer') =>
  ({ name, kind, clock: 'wall', time: flat(ratio), ratio: flat(ratio) }) as const;

function record(jobs: readonly JobRecord[], more: Partial<BenchRecord> = {}): BenchRecord {
  return {
    kind: 'limn.bench',
    version: 1,
    date: '2026-01-02T03:04:05.000Z',
    adapter,
    environment: { runtime: 'Node v20', platform: 'linux x64', cores: 2, limn: '0.1.0' },
    rounds: 7,
    ceilings: [{ id: 'fma', name: 'multiply-adds', unit: 'GFLOP/s', value: 1000, way: 'w', clock: 'gpu' }],
    jobs,
    failures: [],
    missing: [],
    ...more,
  };
}

/** Counts its runs; every run takes as long as it is told. */
function counted(name: string, log: string[], milliseconds: number): Contender {
  return {
    name,
    async run(count) {
      log.push(`${name}${count}`);
      const end = performance.now() + milliseconds * count;
      while (performance.now() < end);
    },
    result: async () => new Float32Array(),
    dispose: () => undefined,
  };
}

test('everybody is warmed up, then takes a sample in every round, beginning with another one each time', async () => {
  const log: string[] = [];
  let cpu = 0;
  const samples = await measure([counted('a', log, 2), counted('b', log, 0.5)], {
    rounds: 3,
    warmUps: 2,
    sampleMilliseconds: 1.5,
    cpu: () => (cpu += 10),
  });
  // a fills a sample with one run, b with some.
  const many = samples[1]!.runs;
  expect(samples[0]!.runs).toBe(1);
  expect(many).toBeGreaterThan(1);
  const [a, b] = ['a1', `b${many}`];
  expect(log).toEqual(['a1', 'a1', 'b1', 'b1', b, a, b, b, a, a, b]);
  expect(samples.map(({ wall, gpu }) => [wall.length, gpu.length])).toEqual([
    [3, 0],
    [3, 0],
  ]);
  expect(samples[0]!.cpu).toEqual([10, 10, 10]);
  expect(samples[1]!.cpu).toEqual([10 / many, 10 / many, 10 / many]);
});

test('a stopped measurement rejects; GPU time is taken where it is asked for, and another process may report its own CPU time', async () => {
  const controller = new AbortController();
  const stopped = measure([counted('a', [], 0)], {
    rounds: 9,
    signal: controller.signal,
    onSample: () => controller.abort(),
  });
  await expect(stopped).rejects.toThrow(/abort/i);
  const timed = { ...counted('a', [], 0.5), gpuMilliseconds: async (count: number) => 7 / count };
  const [without] = await measure([timed], { rounds: 2, sampleMilliseconds: 0.1 });
  const [withGpu] = await measure([timed], { rounds: 2, sampleMilliseconds: 0.1, gpu: true });
  expect([without!.gpu, withGpu!.gpu]).toEqual([[], [7, 7]]);
  const elsewhere = { ...counted('a', [], 0.5), lastCpuMilliseconds: () => 77 };
  const [samples] = await measure([elsewhere], { rounds: 2, sampleMilliseconds: 0.1, cpu: () => 0 });
  expect(samples!.cpu).toEqual([77, 77]);
});

test('medians and quartiles; a ratio is taken round by round', () => {
  expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
  expect(timingOf([5, 1, 2, 4, 3])).toEqual({ median: 3, low: 2, high: 4, least: 1 });
  // The machine was ten times slower in the second round, for both.
  expect(ratioOf([2, 20, 2], [1, 10, 1])).toMatchObject({ median: 2, low: 2, high: 2 });
});

test('the clock of an adapter', () => {
  const cpu = (): number => 0;
  expect(clocksOf({ isSoftware: true, timestamps: true }, cpu)).toEqual({ own: 'cpu', shared: 'cpu' });
  expect(clocksOf({ isSoftware: true, timestamps: true }, undefined)).toEqual({ own: 'wall', shared: 'wall' });
  expect(clocksOf({ isSoftware: false, timestamps: true }, cpu)).toEqual({ own: 'gpu', shared: 'wall' });
  expect(clocksOf({ isSoftware: false, timestamps: false }, cpu)).toEqual({ own: 'wall', shared: 'wall' });
});

test('inputs are the same everywhere, and a wrong result is refused with its place', () => {
  expect([...numbers(3, 0)]).toEqual([...numbers(5, 0).subarray(0, 3)]);
  expect([...numbers(3, 0)]).not.toEqual([...numbers(3, 1)]);
  expect(numbers(10_000, 7, 2).every((x) => Math.abs(x) <= 2)).toBe(true);
  expect(places(3, 101)).toEqual([0, 50, 100]);
  expect(places(9, 2)).toEqual([0, 1]);
  const wanted = [{ at: 1, value: 2, bound: 0.1 }];
  expect(compare(Float32Array.of(0, 2.05), 2, wanted)).toMatch(/worst 50 % of the bound/);
  expect(() => compare(Float32Array.of(0, 2.2), 2, wanted)).toThrow(/value 1 is 2.2/);
  expect(() => compare(Float32Array.of(0, Number.NaN), 2, wanted)).toThrow(/value 1 is NaN/);
  expect(() => compare(Float32Array.of(2), 2, wanted)).toThrow(/1 values where there should be 2/);
});

test('numbers as they are read', () => {
  expect([1234.5, 99.94, 1.234, 0.01234, 0, Number.NaN].map(digits)).toEqual([
    '1 235',
    '99.9',
    '1.23',
    '0.012',
    '0',
    '–',
  ]);
  expect([2500, 1.5, 0.05].map(duration)).toEqual(['2.50 s', '1.50 ms', '50.0 µs']);
  expect([0.654, 0.012].map(percent)).toEqual(['65 %', '1.2 %']);
});

test('the share of a ceiling is in its own unit', () => {
  const { ceilings } = record([]);
  // 2e9 operations in 4 ms are 500 GFLOP/s.
  expect(shareOf('fma', { flops: 2e9 }, 4, ceilings)).toBeCloseTo(0.5);
  expect(shareOf('fma', { bytes: 2e9 }, 4, ceilings)).toBeUndefined();
  expect(shareOf('copy-kernel', { bytes: 2e9 }, 4, ceilings)).toBeUndefined();
});

test('what is reached: a ratio to a peer, a share, a limit from above', () => {
  const found = reachTable(
    record([
      job('matmul 512 × 512 × 512', 4, {
        ceiling: { id: 'fma', share: 0.5 },
        beside: [
          // In turns with the job; the ceiling of the run's beginning is no matter here.
          peer('multiply-adds in registers, per flop', 0.7, 'own'),
          peer('onnxruntime webgpu 1.30.0', 2.4),
          peer('jax-js 0.1.25', 5.5),
        ],
      }),
      job('layernorm 512 × 768', 1, { beside: [peer('copy kernel of as many bytes', 1 / 1.7, 'own')] }),
      job('GPT-2 small: blocks, forward and back to every weight', 1, {
        beside: [peer('forward alone', 1 / 3.2, 'own')],
      }),
    ]),
  );
  const verdict = (what: string): [string, number | undefined] => {
    const row = found.find((each) => each.what === what)!;
    return [row.verdict, row.value === undefined ? undefined : Number(row.value.toFixed(3))];
  };
  expect(verdict('matmul 512 × 512 × 512 against onnxruntime')).toEqual(['missed', 2.4]);
  expect(verdict('matmul 512 × 512 × 512 against jax-js')).toEqual(['aim', 5.5]);
  expect(verdict('matmul 512 × 512 × 512 of multiply-adds unrolled in registers')).toEqual(['met', 0.7]);
  expect(verdict('layernorm in copy kernels')).toEqual(['met', 1.7]);
  expect(verdict('backward over forward, to every weight')).toEqual(['met', 2.2]);
  expect(verdict('softmax against onnxruntime')).toEqual(['not measured', undefined]);
});

test('records are read back, and what is none is refused', () => {
  const whole = record([job('a', 1)]);
  expect(parseRecord(JSON.stringify(whole))).toEqual(whole);
  expect(() => parseRecord('{')).toThrow(/not JSON/);
  expect(() => parseRecord('null')).toThrow(/its kind is undefined/);
  expect(() => parseRecord(JSON.stringify({ ...whole, version: 2 }))).toThrow(/version 2/);
  expect(() => parseRecord(JSON.stringify({ ...whole, jobs: [{ name: 'a' }] }))).toThrow(/job "a" has no times/);
  expect(() => parseRecord(JSON.stringify({ ...whole, adapter: {} }))).toThrow(/no adapter/);
});

test('runs side by side: the first is the measure, and only a clear difference is marked', () => {
  const mine = record([job('a', 10), job('b', 10)]);
  const other = record([job('b', 5), job('a', 9.8), job('c', 1)], { date: '2026-02-02T00:00:00.000Z' });
  const { titles, jobs, ceilings } = sideBySide([mine, other]);
  expect(titles).toEqual(['ACME <Anvil> 9000: 570.1, 2026-01-02 03:04', 'ACME <Anvil> 9000: 570.1, 2026-02-02 00:00']);
  expect(
    jobs.map(({ name, cells }) => [name, ...cells.map((cell) => cell && [cell.text, cell.faster, cell.clear])]),
  ).toEqual([
    ['a', ['10.0 ms', 1, false], ['9.80 ms', 10 / 9.8, false]],
    ['b', ['10.0 ms', 1, false], ['5.00 ms', 2, true]],
    ['c', undefined, ['1.00 ms', 1, false]],
  ]);
  expect(ceilings[0]!.cells.map((cell) => cell?.faster)).toEqual([1, 1]);
});

test('what got worse: counts exactly, ratios beyond the allowance and outside of what was kept; peers are no matter', () => {
  const before = record([
    job('a', 1, { beside: [peer('copy', 0.6, 'own'), peer('onnxruntime', 9)] }),
    job('b', 1, { beside: [peer('forward', 0.5, 'own')] }),
  ]);
  const kept: KeptRatios = parseRatios(JSON.stringify(ratiosOf(before, 'acme', 4e9)));
  expect(Object.keys(kept.ratios['a']!)).toEqual(['copy']);
  expect(regressions(kept, ratiosOf(before, 'acme', 4e9))).toEqual([]);
  const counts = { ...before.jobs[0]!.counts!, submits: 2 };
  const after = record([
    job('a', 1, { beside: [peer('copy', 0.55, 'own'), peer('onnxruntime', 1)], counts }),
    job('b', 1, { beside: [peer('forward', 0.3, 'own')] }),
    job('c', 1),
  ]);
  const found = regressions(kept, ratiosOf(after, 'acme', 4e9));
  expect(found.map(({ job: name, what, verdict }) => [name, what, verdict])).toEqual([
    ['b', 'forward', 'worse'],
    ['a', 'submits', 'changed'],
    ...['dispatches', 'submits', 'buffersCreated', 'bindGroupsCreated', 'pipelinesCreated'].map((what) => [
      'c',
      what,
      'new',
    ]),
  ]);
  // The other way round it got better.
  expect(regressions(ratiosOf(after, 'acme', 4e9), ratiosOf(before, 'acme', 4e9))[0]).toMatchObject({
    job: 'b',
    verdict: 'better',
  });
  expect(() => parseRatios('{"kind":"other"}')).toThrow(/kept ratios/);
});

test('a page and a drawing of a run, with names that are no markup', () => {
  const run = record(
    [
      job('matmul 512 × 512 × 512', 4, {
        ceiling: { id: 'fma', share: 0.5 },
        beside: [peer('onnxruntime webgpu 1.30.0', 3)],
      }),
    ],
    { failures: [{ name: 'b', reason: 'broken' }], missing: ['pytorch: pip install torch'] },
  );
  const page = summary(run);
  expect(page).toContain('| matmul 512 × 512 × 512 | 4.00 ms | 3.80 ms to 4.20 ms | 500 |  | 50 % (fma) |');
  expect(page).toContain('3.00×');
  expect(page).toContain('- b: broken');
  expect(page).toContain('- pytorch: pip install torch');
  const svg = drawing(run);
  expect(svg).toContain('ACME &lt;Anvil&gt; 9000');
  expect(svg).not.toContain('<Anvil>');
  expect(svg).toContain('3.00× onnxruntime webgpu 1.30.0');
});

test('where the time goes: shares by purpose, the limit in the ceiling’s unit, and the page that says so', () => {
  const profile = [
    { label: 'matmul backward b', count: 4, milliseconds: 6 },
    { label: 'attention scores', count: 1, milliseconds: 2 },
    { label: 'layernorm_lane4_forward', count: 2, milliseconds: 1 },
    { label: 'split_three', count: 1, milliseconds: 1 },
  ];
  const whole = job('GPT-2 small: blocks over 64 tokens', 10, {
    group: 'jobs',
    ceiling: { id: 'fma', share: 0.2 },
    profile,
  });
  expect(sharesOf(whole)).toEqual(
    new Map([
      ['products', 0.6],
      ['attention', 0.2],
      ['norms', 0.1],
      ['moving', 0.1],
    ]),
  );
  expect(sharesOf(job('a', 1))).toBeUndefined();
  expect(['adamw', 'edge scores', 'unembed backward', 'write_rows'].map(purposeOf)).toEqual([
    'optimiser',
    'scores of edges',
    'vocabulary',
    'moving',
  ]);
  // 2e9 operations at 1,000 GFLOP/s.
  expect(limitOf(whole, record([whole]))).toBeCloseTo(2);
  const page = performancePage(record([whole]));
  expect(page).toContain('| GPT-2 small: blocks over 64 tokens | 10.0 ms | 2.00 ms | 20 % | 1 | 1 | 0 |');
  expect(page).toContain('| GPT-2 small: blocks over 64 tokens | 60 % | 20 % | 10 % |  |  |  | 10 % |');
});

test('of diffs trained at once the page has tokens a second of both sides, and their bound is of the time over one', () => {
  const beside = [peer('one diff on as many tokens', 0.8, 'own')];
  const name = 'pocket: 64 diffs trained at once, 2 updates of 2 × 16 tokens each';
  const found = record([job(name, 1000, { group: 'jobs', work: { flops: 2e9, tokens: 4096 }, beside })]);
  const page = performancePage(found);
  expect(page).toContain(`| 4,096 | 1.00 s | ${digits(4096)} |`);
  expect(page).toContain('| 1.25× |');
  expect(performancePage(record([job('matmul', 10)]))).toContain('older than these jobs: not measured');
  const bounds = reachTable(found).filter(({ what }) => what.includes('64 diffs trained at once'));
  expect(bounds[0]).toMatchObject({ value: 1.25, least: 2, more: false });
  expect(bounds.map(({ verdict }) => verdict)).toEqual(['met', 'not measured', 'not measured']);
});

test('the page says of a run whether peers rested while they waited, as limn does', () => {
  const { environment, ...others } = record([job('matmul', 10)]);
  const before = performancePage({ environment, ...others });
  const since = performancePage({ environment: { ...environment, restsLent: true }, ...others });
  expect(before).toContain('their figures hold it');
  expect(since).toContain('their figures do not hold it');
  for (const page of [before, since]) expect(page).not.toContain('@LENT');
});

test('folders are named for the adapter', () => {
  expect(adapterSlug(adapter)).toBe('acme-anvil-9000');
  expect(adapterSlug({ ...adapter, device: 'llvmpipe (LLVM 15)', description: '' })).toBe('lavapipe');
  expect(adapterSlug({ ...adapter, device: '', description: '', architecture: 'swiftshader' })).toBe('swiftshader');
  expect(adapterSlug({ ...adapter, device: '', description: '', vendor: '', architecture: '' })).toBe(
    'unknown-adapter',
  );
});
