// Kernels that suit a machine: `limn tune`, a GPU that is new, what doctor says, and work that goes on with the kernels it began with.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import {
  dryCapabilities,
  dryGpu,
  kernelChoices,
  kernelKey,
  LimnError,
  type Capabilities,
  type KernelChoices,
} from '@limn/gpu';
import { kernelChoicesFile, readKernelChoices, writeKernelChoices, type openNodeGpu } from '@limn/gpu/node';
import { kernelDecisions, type TrialResult, type Tuning } from '@limn/tensor';
import { lentGpu } from '@limn/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Environment } from '../src/cli.js';
import { Console } from '../src/console.js';
import type { CommandContext } from '../src/context.js';
import { openDevice } from '../src/device.js';
import { isKeptChoices } from '../src/kept-choices.js';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-tune-'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));
const freshFolder = (): string => mkdtempSync(path.join(root, 'in-'));

const card: Capabilities = {
  ...dryCapabilities,
  adapter: { ...dryCapabilities.adapter, device: 'card', description: 'card: driver 1' },
  source: 'system',
};
const offers = Object.fromEntries(kernelDecisions.map(({ name, offer }) => [`${name} offer`, offer(card)]));
const better = kernelChoices({ 'matmul nn m1 n4096 k1024': 'tiled', ...offers });
const tuningOf = (choices: KernelChoices, results: readonly TrialResult[] = []): Tuning => ({
  choices,
  results,
  open: [],
});

/** A machine with that card: what is opened on it has no device, and takes choices as `openNodeGpu` does. */
function machine(changes: {
  capabilities?: Capabilities;
  env?: Record<string, string>;
  measure?: CommandContext['measure'];
}) {
  const { capabilities = card, measure = () => Promise.resolve(tuningOf(better)) } = changes;
  const env = { XDG_CACHE_HOME: freshFolder(), ...changes.env };
  let [opened, disposed, measured] = [0, 0, 0];
  const notes: string[] = [];
  const openGpu: typeof openNodeGpu = async ({ choices = 'cached' } = {}) => {
    opened++;
    const kept = choices === 'cached' ? await readKernelChoices(capabilities, { env }) : undefined;
    const gpu = dryGpu(capabilities, { choices: kept ?? (typeof choices === 'object' ? choices : {}) });
    const dispose = gpu.dispose.bind(gpu);
    gpu.dispose = () => (disposed++, dispose());
    return gpu;
  };
  const stderr = { write: (text: string) => notes.push(text) };
  const context: CommandContext = {
    console: new Console({ stdout: stderr, stderr, json: false, quiet: false }),
    signal: new AbortController().signal,
    env,
    words: [],
    openGpu,
    measure: (gpu, options) => (measured++, measure(gpu, options)),
  };
  return { context, env, notes, counts: () => ({ opened, left: opened - disposed, measured }) };
}

describe('a GPU that is new', () => {
  it('is measured once, says so in a line, and is opened with what came of it; later commands take that as it is', async () => {
    const { context, env, notes, counts } = machine({});
    using device = await openDevice(context);
    expect(device.gpu.choices).toEqual(better);
    expect(notes).toEqual([expect.stringMatching(/^limn: this GPU is new here: .*LIMN_KERNELS=built-in.*\n$/)]);
    expect(counts()).toEqual({ opened: 2, left: 1, measured: 1 });
    expect(await readKernelChoices(card, { env })).toEqual(better);
    using again = await openDevice(context);
    expect(again.gpu.choices).toEqual(better);
    expect([notes.length, counts()]).toEqual([1, { opened: 3, left: 2, measured: 1 }]);
  });

  it('is measured again after the candidates have changed', async () => {
    const { context, env, counts } = machine({});
    await writeKernelChoices(card, kernelChoices({ 'matmul nn m4 n4 k4': 'row', 'matmul offer': '00000000' }), { env });
    using device = await openDevice(context);
    expect([device.gpu.choices, counts().measured]).toEqual([better, 1]);
  });

  it('where nothing is better, is opened once and never measured again', async () => {
    const { context, counts } = machine({ measure: () => Promise.resolve(tuningOf(kernelChoices(offers))) });
    using device = await openDevice(context);
    using again = await openDevice(context);
    expect([device.gpu.choices, again.gpu.choices]).toEqual([offers, offers]);
    expect(counts().measured).toBe(1);
  });

  it.each([
    ['with LIMN_KERNELS=built-in', { env: { LIMN_KERNELS: 'built-in' } }, {}],
    ['by doctor', {}, { kernels: 'as is' as const }],
    ['on a software adapter', { capabilities: { ...card, adapter: { ...card.adapter, isFallback: true } } }, {}],
    ['on lavapipe', { capabilities: { ...card, adapter: { ...card.adapter, device: 'llvmpipe (LLVM 19)' } } }, {}],
    ['where nothing can be kept', { env: { XDG_CACHE_HOME: process.execPath } }, {}],
  ])('is not measured %s', async (_, changes, request) => {
    const { context, counts } = machine(changes);
    using device = await openDevice(context, request);
    expect([device.gpu.choices, counts()]).toEqual([{}, { opened: 1, left: 1, measured: 0 }]);
  });

  it('that cannot be measured is used by the built-in rules; an interrupted measurement keeps nothing', async () => {
    const failing = machine({ measure: () => Promise.reject(new LimnError('gpu/internal', 'the driver gave up')) });
    using device = await openDevice(failing.context);
    expect(device.gpu.choices).toEqual({});
    expect(failing.notes.at(-1)).toContain('the driver gave up');
    const stop = new AbortController();
    const interrupted = machine({ measure: async () => (stop.abort(new Error('enough')), tuningOf(better)) });
    await expect(openDevice({ ...interrupted.context, signal: stop.signal })).rejects.toThrow('enough');
    expect(interrupted.counts().left).toBe(0);
    expect(await readKernelChoices(card, { env: interrupted.env })).toEqual({});
  });
});

describe('work that can be gone on with', () => {
  it('goes on with the kernels it began with, whatever was measured since', async () => {
    const { context, env } = machine({});
    const folder = path.join(freshFolder(), 'work');
    using first = await openDevice(context, { work: { folder, started: false } });
    expect(first.gpu.choices).toEqual(better);
    expect(readdirSync(folder).map(isKeptChoices)).toEqual([true]);
    await writeKernelChoices(card, kernelChoices(offers), { env });
    using later = await openDevice(context, { work: { folder, started: true } });
    expect(later.gpu.choices).toEqual(better);
    using elsewhere = await openDevice(context);
    expect(elsewhere.gpu.choices).toEqual(offers);
    using builtIn = await openDevice(
      { ...context, env: { ...env, LIMN_KERNELS: 'built-in' } },
      { work: { folder, started: true } },
    );
    expect(builtIn.gpu.choices).toEqual(better);
  });

  it('that began by the built-in rules goes on by them, and a GPU is not measured for it', async () => {
    const { context, env, counts } = machine({});
    await writeKernelChoices(card, better, { env });
    const folder = freshFolder();
    using device = await openDevice(context, { work: { folder, started: true } });
    expect([device.gpu.choices, readdirSync(folder), counts().measured]).toEqual([{}, [], 0]);
  });

  it('of several processes that begin at once runs the kernels of one of them', async () => {
    const folder = path.join(freshFolder(), 'work');
    const begin = async (n: number) => {
      const own = kernelChoices({ ...better, 'matmul nn m4 n4 k4': `row-${n}` });
      const { context } = machine({ measure: () => Promise.resolve(tuningOf(own)) });
      using device = await openDevice(context, { work: { folder, started: false } });
      return JSON.stringify(device.gpu.choices);
    };
    const all = await Promise.all(Array.from({ length: 8 }, (_, n) => begin(n)));
    expect(new Set(all).size).toBe(1);
    expect(readdirSync(folder)).toHaveLength(1);
  });

  it('is not gone on with where the file is damaged: the bits would differ', async () => {
    const { context, counts } = machine({});
    const folder = freshFolder();
    writeFileSync(path.join(folder, `kernels-${(await kernelKey(card)).slice(0, 12)}.json`), '{');
    await expect(openDevice(context, { work: { folder, started: true } })).rejects.toMatchObject({
      code: 'gpu/choices',
    });
    expect(counts().left).toBe(0);
  });
});

/** The adapter at hand with a cache of its own. */
function thisMachine(measure?: Environment['measure']): Partial<Environment> & { env: Record<string, string> } {
  const env = { XDG_CACHE_HOME: freshFolder() };
  const openGpu: typeof openNodeGpu = async (options = {}) => {
    const { choices = 'cached', ...rest } = options;
    using probe = await lentGpu(rest);
    const kept = choices === 'cached' ? await readKernelChoices(probe.capabilities, { env }) : undefined;
    return await lentGpu({ ...rest, choices: kept ?? (choices === 'cached' ? 'built-in' : choices) });
  };
  return { env, openGpu, ...(measure ? { measure } : {}) };
}

describe('limn tune', () => {
  const result = (name: string, chosen: string): TrialResult => ({
    name,
    rule: 'tiled',
    chosen,
    milliseconds: { tiled: 3, row: 2 },
    dropped: { naive: "its result differs from that of 'tiled' by up to 1.00" },
  });
  const results = [
    result('matmul nn m16 n64 k64', 'row'),
    result('matmul nt m16 n64 k64', 'tiled'),
    {
      ...result('matmul nn m64 n64 k64', 'row'),
      milliseconds: {},
      dropped: {},
      inheritedFrom: 'matmul nn m16 n64 k64',
    },
  ];
  const chosen = { 'matmul nn m16 n64 k64': 'row', 'matmul nn m64 n64 k64': 'row' };
  const fake: NonNullable<Environment['measure']> = (gpu, { budgetMs }) => {
    const offered = kernelDecisions.map(({ name, offer }) => [`${name} offer`, offer(gpu.capabilities)]);
    expect([budgetMs, gpu.choices]).toEqual([1500, {}]);
    return Promise.resolve(tuningOf(kernelChoices({ ...chosen, ...Object.fromEntries(offered) }), results));
  };

  it('shows what was measured, keeps it, and doctor says so; --dry-run keeps nothing, --forget removes it', async () => {
    const here = thisMachine(fake);
    const limn = (...words: string[]) => runLimn(words, undefined, here);
    const budget = ['--budget', '1.5'];
    const dry = await limn('tune', ...budget, '--dry-run');
    expect(dry.exitCode, dry.stderr).toBe(0);
    expect(readdirSync(here.env['XDG_CACHE_HOME'] as string)).toEqual([]);
    const lines = dry.stdout.split('\n').map((line) => line.replace(/ +/g, ' '));
    expect(lines.slice(1, 5)).toEqual([
      'decision default chosen',
      "matmul nn m16 n64 k64 tiled row 1.50 times as fast; naive: its result differs from that of 'tiled' by up to 1.00",
      "matmul nt m16 n64 k64 tiled naive: its result differs from that of 'tiled' by up to 1.00",
      'matmul nn m64 n64 k64 tiled row as matmul nn m16 n64 k64',
    ]);
    expect(dry.stdout).toContain('2 cases measured, 1 by the nearest of them; 2 deviate from the built-in rules');
    expect(dry.stdout).toContain('--dry-run');

    const before = (await limn('doctor')).stdout;
    expect(before).toMatch(/^kernels +built-in rules; limn tune measures/m);
    const kept = (await limn('tune', ...budget, '--json')).json();
    expect(kept).toMatchObject({ ok: true, command: 'tune', results: [{ chosen: 'row' }, { chosen: 'tiled' }, {}] });
    expect(existsSync(kept['file'] as string)).toBe(true);
    const found = (await limn('doctor', '--json')).json();
    expect(found['kernels']).toEqual({ setting: 'cached', file: kept['file'], measured: 'now', choices: chosen });
    expect((await limn('doctor')).stdout).toContain(`2 measured to be better here (${String(kept['file'])})`);
    const builtIn = await runLimn(['doctor'], undefined, { ...here, env: { ...here.env, LIMN_KERNELS: 'built-in' } });
    expect(builtIn.stdout).toMatch(/^kernels +built-in rules \(LIMN_KERNELS=built-in\)$/m);

    expect((await limn('tune', '--forget', '--dry-run')).stdout).toContain('would be removed');
    expect(existsSync(kept['file'] as string)).toBe(true);
    expect((await limn('tune', '--forget', '--json')).json()).toMatchObject({ forgotten: true });
    expect(existsSync(kept['file'] as string)).toBe(false);
    expect((await limn('tune', '--forget', '--json')).json()).toMatchObject({ forgotten: false });
  });

  it('refuses words that mean nothing', async () => {
    expect((await runLimn(['tune', '--budget', 'long'])).exitCode).toBe(2);
    const outcome = await runLimn(['doctor', '--json'], undefined, { env: { LIMN_KERNELS: 'fast' } });
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([2, 'gpu/kernel-setting']);
  });
});

describe('shards', () => {
  it('of a folder run the kernels of its first one, are found again with them, and their plan is in the result', async () => {
    const here = thisMachine();
    const model = path.join(root, 'model');
    writeToyModel(model);
    const data = path.join(root, 'pairs.jsonl');
    const pair = (i: number) => ({
      clean: [1, 4, 3 + i, 2, 9],
      corrupted: [1, 4, 2, 2, 9],
      correct: [8],
      incorrect: [5],
    });
    writeFileSync(data, Array.from({ length: 4 }, (_, i) => JSON.stringify(pair(i))).join('\n'));
    const out = path.join(root, 'found');
    const words = ['circuit', '--model', model, '--data', data, '--metric', 'logit-diff', '--method', 'eap'];
    const circuit = (...more: string[]) =>
      runLimn([...words, '--out', out, '--shard-size', '2', '--draws', '0', '--json', ...more], undefined, here);

    using gpu = await lentGpu();
    const own = kernelChoices({ 'matmul nn m4096 n4096 k4096': 'tiled' });
    const file = await writeKernelChoices(gpu.capabilities, own, here);
    expect((await circuit('--shard', '1/2')).json()).toMatchObject({ shards: { done: 1, total: 2 } });
    const kernels = readdirSync(`${out}.shards`).filter(isKeptChoices);
    expect(kernels).toHaveLength(1);
    rmSync(file as string);
    // Found again, although nothing is in the machine's cache any more.
    expect((await circuit('--shard', '1/2')).json()).toMatchObject({ shards: { done: 1, found: 1 } });
    const merged = path.join(root, 'merged');
    expect((await runLimn(['merge', `${out}.shards`, '--out', merged])).exitCode).toBe(0);
    expect(readdirSync(`${merged}.shards`)).toContain(kernels[0]);
    const other = path.join(root, 'other.shards');
    mkdirSync(other);
    for (const name of readdirSync(`${out}.shards`))
      writeFileSync(path.join(other, name), readFileSync(path.join(`${out}.shards`, name)));
    writeFileSync(path.join(other, kernels[0] as string), '{}');
    const refused = await runLimn(['merge', other, '--out', merged, '--json']);
    expect(refused.json().error).toMatchObject({ code: 'data/shards', hint: expect.stringContaining('LIMN_KERNELS') });

    const done = await circuit('--resume');
    expect(done.exitCode, done.stderr).toBe(0);
    expect(done.json()['provenance']).toMatchObject({
      kernelPlan: expect.stringMatching(/; chosen: tiled for matmul nn m4096 n4096 k4096$/),
    });
    expect(existsSync(`${out}.shards`)).toBe(false);
  });
});

it('tests do not measure on the machine that runs them, nor read what was', async () => {
  expect(process.env['LIMN_KERNELS']).toBe('built-in');
  const home = path.dirname(await kernelChoicesFile(card, {}));
  const before = existsSync(home) ? readdirSync(home) : [];
  expect((await runLimn(['doctor'])).exitCode).toBe(0);
  expect(existsSync(home) ? readdirSync(home) : []).toEqual(before);
});
