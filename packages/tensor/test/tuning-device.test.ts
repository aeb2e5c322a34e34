// Measuring on the adapter at hand: a small tuning, candidates that are wrong, and a steady step under choices.
import { defineKernel, Gpu, kernelChoices, type KernelChoices, type Step } from '@limn/gpu';
import { FaultyDevice, lentGpu, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import {
  addScaled,
  attentionCandidates,
  attentionDecision,
  fill,
  kernelsInForce,
  layernormDecision,
  matmul,
  matmulDecision,
  neg,
  persistent,
  readFloats,
  softmaxDecision,
  sqrt,
  tuneKernels,
  type MatmulPlan,
  type MatmulShape,
  type RowShape,
  type Tensor,
  type TrialResult,
  type TunableDecision,
} from '../src/index.js';
import { tunableAttention } from '../src/ops/attention-trials.js';
import { tunableMatmul } from '../src/ops/matmul-trials.js';
import { tunableLayernorm, tunableSoftmax } from '../src/ops/row-trials.js';
import { defineDecision } from '../src/tuning/decision.js';
import { tunable } from '../src/tuning/trial.js';

const plain = { batch: 1, transposeA: false, transposeB: false, alignedA: true, alignedB: true };
const shape: MatmulShape = { ...plain, m: 8, n: 24, k: 32 };

/** Tunes a decision on a device, and says how many bytes are left there. */
async function tuneHere(
  decision: TunableDecision,
): Promise<{ results: readonly TrialResult[]; choices: KernelChoices; open: readonly string[]; left: number }> {
  using gpu = await lentGpu();
  const live = async (): Promise<number> => {
    gpu.trim();
    await gpu.finished();
    return gpu.counters.snapshot().bytesLive;
  };
  const before = await live();
  const tuning = await tuneKernels(gpu, {
    decisions: [decision],
    budgetMs: 600_000,
    clock: cpuMilliseconds,
  });
  return { ...tuning, left: (await live()) - before };
}

function expectSound(results: readonly TrialResult[]): void {
  for (const { name, rule, milliseconds, dropped } of results) {
    expect(milliseconds[rule], name).toBeGreaterThan(0);
    // A candidate may be slow; wrong it may not be.
    expect(Object.values(dropped).filter((why) => !why.includes('times as long'))).toEqual([]);
  }
}

test('a small tuning finds no candidate wrong, lists what deviates, and leaves nothing on the device', async () => {
  const plans: readonly MatmulPlan[] = [
    { kernel: 'naive', splits: 1 },
    { kernel: 'row', splits: 1 },
  ];
  const rules = { ...matmulDecision, rule: () => plans[0]!, candidates: () => plans, cases: [shape] };
  const { results, choices, open, left } = await tuneHere(tunableMatmul(defineDecision(rules)));
  expectSound(results);
  expect(results.map(({ name }) => name)).toEqual(['matmul nn m16 n64 k64']);
  const chosen = results[0]!.chosen === 'row' ? { 'matmul nn m16 n64 k64': 'row' } : {};
  expect(choices).toEqual({ ...chosen, 'matmul offer': expect.stringMatching(/^[0-9a-f]{8}$/) });
  expect([open, left]).toEqual([[], 0]);
});

test('transposed, batched, unaligned and f16 products are measured as well, with every candidate of this adapter', async (context) => {
  context.skip(
    process.env['LIMN_LONG'] !== '1',
    'SwiftShader compiles these kernels for half a minute; LIMN_LONG=1 runs them',
  );
  const cases: readonly MatmulShape[] = [
    shape,
    { ...shape, batch: 3, transposeB: true },
    { ...shape, m: 20, transposeA: true, alignedA: false },
    { ...shape, n: 64, dtypeB: 'f16' },
  ];
  const { results, open } = await tuneHere(tunableMatmul(defineDecision({ ...matmulDecision, cases })));
  expectSound(results);
  expect(open).toEqual([]);
  expect(results.map(({ name }) => name)).toEqual([
    'matmul nn m16 n64 k64',
    'matmul nt m16 n64 k64 batch4',
    'matmul tn odd-a m64 n64 k64',
    'matmul nn f16 m16 n64 k64',
  ]);
});

/** This process's own time where there is such a clock: a wall clock also counts what else the machine does. */
const cpuMilliseconds = (): number => {
  if (typeof process === 'undefined' || !process.versions?.node) return performance.now();
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};

test('rows of layernorm and softmax are measured as well, forward and back', async (context) => {
  context.skip(
    process.env['LIMN_LONG'] !== '1',
    'SwiftShader compiles these kernels for half a minute; LIMN_LONG=1 runs them',
  );
  const cases: readonly RowShape[] = [
    { rows: 5, width: 768 },
    { rows: 300, width: 37 },
  ];
  for (const each of [
    tunableLayernorm(defineDecision({ ...layernormDecision, cases })),
    tunableSoftmax(defineDecision({ ...softmaxDecision, cases })),
  ]) {
    const { results, open } = await tuneHere(each);
    expectSound(results);
    expect(open).toEqual([]);
    const names = results.map(({ name }) => name);
    expect(names).toEqual([`${each.name} rows16 width1024`, `${each.name} odd rows1024 width64`]);
  }
});

test('attention behind a cache is measured as well; with a pass back its kernels compile for minutes here', async (context) => {
  context.skip(
    process.env['LIMN_LONG'] !== '1',
    'SwiftShader compiles these kernels for half a minute; LIMN_LONG=1 runs them',
  );
  const cases = [{ batch: 2, heads: 3, queries: 1, keys: 37, width: 16, past: 36, scale: 0.25 }];
  const rules = { ...attentionDecision, candidates: attentionCandidates, cases };
  const { results } = await tuneHere(tunableAttention(defineDecision(rules)));
  expectSound(results);
  expect(results.map(({ name, rule }) => [name, rule])).toEqual([
    ['attention rows16 queries1 keys64 width16', 'parts'],
  ]);
});

test('a candidate that computes something else, or does not compile, is dropped and named', async () => {
  const gpu = await testGpu();
  const decision = defineDecision<number, string>({
    name: 'toy',
    classOf: () => ({ kind: '', sizes: {} }),
    rule: () => 'right',
    candidates: () => ['right', 'also right', 'wrong', 'no number', 'broken'],
    nameOf: (plan) => plan,
    cases: [0],
  });
  const values: Record<string, number> = { 'also right': 2.001, wrong: 2.1 };
  const record = (step: Step, plan: string): Tensor => {
    const x = fill(step, [100], 1);
    if (plan === 'broken') step.dispatch(broken, { y: x.storage }, {});
    if (plan === 'no number') return sqrt(step, neg(step, x));
    return addScaled(step, x, x, (values[plan] ?? 2) - 1);
  };
  const { results } = await tuneKernels(gpu, {
    decisions: [
      tunable(decision, {
        work: () => 200,
        bytes: () => ({ largest: 400, all: 800 }),
        tolerance: () => 0.01,
        open: () => Promise.resolve({ record, dispose: () => undefined }),
      }),
    ],
    budgetMs: 60_000,
    clock: cpuMilliseconds,
  });
  const { dropped } = results[0]!;
  expect(dropped['wrong']).toContain('0.100');
  expect(dropped['no number']).toContain('NaN');
  expect(dropped['broken']).toContain('does not compile');
  expect(dropped['also right']).toBeUndefined();
});

test('on a GPU times are those of timestamps around whole passes', async (context) => {
  const { device, capabilities } = await testGpu();
  context.skip(!capabilities.timestamps, 'this adapter has no timestamps');
  const adapter = { ...capabilities.adapter, isFallback: false };
  using gpu = new Gpu(new FaultyDevice(device).device, { ...capabilities, adapter }, 1e9);
  const decision = defineDecision<number, number>({
    name: 'runs',
    classOf: () => ({ kind: '', sizes: {} }),
    rule: () => 40,
    candidates: () => [40, 1],
    nameOf: (count) => `x${count}`,
    cases: [0],
  });
  // The same result by forty sums of which one is needed, or by that one.
  const record = (step: Step, count: number): Tensor => {
    const x = fill(step, [20_000], 1);
    return Array.from({ length: count }, () => addScaled(step, x, x, 1)).at(-1) as Tensor;
  };
  const { results } = await tuneKernels(gpu, {
    decisions: [
      tunable(decision, {
        work: () => 2e6,
        bytes: () => ({ largest: 8e4, all: 2e5 }),
        tolerance: () => 0,
        open: () => Promise.resolve({ record, dispose: () => undefined }),
      }),
    ],
    budgetMs: 60_000,
  });
  expect(results[0]!.milliseconds['x40']).toBeGreaterThan(0);
  const timings = await gpu.timings();
  expect(timings.map(({ label }) => label)).toEqual(['kernel tuning']);
  // Forty sums are one pass: a run each alone, and six rounds of the rule's at least.
  expect(timings[0]!.count).toBeGreaterThanOrEqual(8);
  expect(timings[0]!.count).toBeLessThanOrEqual(14);
});

const broken = defineKernel(
  {
    name: 'tuning_broken',
    file: 'test/tuning_broken.wgsl',
    requires: [],
    uses: [],
    preludes: {},
    bindings: [{ name: 'y', access: 'write' }],
    params: [],
    overrides: { WG: 1 },
    code: 'nonsense',
  },
  { grid: () => [1, 1, 1] },
);

test('a steady step under choices creates nothing, runs what was chosen, and gives equal bits', async () => {
  const choices = kernelChoices({ 'matmul nn m16 n64 k64': 'row', 'matmul nn m64 n64 k16': 'tiled' });
  using gpu: Gpu = await lentGpu({ choices });
  expect(kernelsInForce(gpu)).toEqual(choices);
  const a = persistent(
    gpu,
    [7, 20],
    Float32Array.from({ length: 140 }, (_, i) => Math.sin(i)),
  );
  const b = persistent(
    gpu,
    [20, 40],
    Float32Array.from({ length: 800 }, (_, i) => Math.cos(i)),
  );
  const programs: (readonly string[])[] = [];
  const run = async (): Promise<Float32Array> => {
    using step = gpu.step();
    const c = matmul(step, a, b);
    programs.push(step.plan().kernels);
    return (await readFloats(step, c)) as Float32Array;
  };
  const first = await run();
  const before = gpu.counters.snapshot();
  const second = await run();
  expect(gpu.counters.since(before)).toMatchObject({
    buffersCreated: 0,
    bindGroupsCreated: 0,
    pipelinesCreated: 0,
    plansCreated: 0,
    dispatches: 1,
    submits: 1,
  });
  expect(new Uint32Array(second.buffer)).toEqual(new Uint32Array(first.buffer));
  expect(programs[0]).toEqual([expect.stringMatching(/^matmul_row/)]);
  expect(programs[1]).toEqual(programs[0]);
});
