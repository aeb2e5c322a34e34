// Kernel choices: their text, the device that they hold for, the cache on disk, and how a device is opened with them.
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import {
  builtInChoices,
  dryCapabilities,
  dryGpu,
  formatKernelChoices,
  kernelChoices,
  kernelKey,
  parseKernelChoices,
  type Capabilities,
  type Gpu,
} from '../src/index.js';
import {
  forgetKernelChoices,
  kernelChoicesFile,
  kernelSetting,
  openNodeGpu,
  readKernelChoices,
  writeKernelChoices,
} from '../src/node.js';

const root = mkdtempSync(path.join(os.tmpdir(), 'limn-choices-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

/** A cache of a test's own, and the notices it gave. */
function ownCache(): { env: Record<string, string>; notices: string[]; onNotice: (line: string) => void } {
  const notices: string[] = [];
  return {
    env: { XDG_CACHE_HOME: mkdtempSync(path.join(root, 'cache-')) },
    notices,
    onNotice: (line) => notices.push(line),
  };
}

const adapter = { ...dryCapabilities.adapter, device: 'card', description: 'card: driver 1.2.3' };
const card: Capabilities = { ...dryCapabilities, adapter };
const choices = kernelChoices({ 'matmul m4': 'row', 'matmul m16': 'tiled' });

describe('choices', () => {
  test('are sorted and frozen, so that equal ones have equal text; none are the built-in ones', () => {
    expect(Object.keys(choices)).toEqual(['matmul m16', 'matmul m4']);
    expect(Object.isFrozen(choices)).toBe(true);
    expect(kernelChoices({})).toBe(builtInChoices);
    expect(formatKernelChoices(choices, 'k')).toBe(
      formatKernelChoices(kernelChoices({ 'matmul m16': 'tiled', 'matmul m4': 'row' }), 'k'),
    );
  });

  test('come back from their text, for the same key only', () => {
    const text = formatKernelChoices(choices, 'this device');
    expect(parseKernelChoices(text, 'this device')).toEqual(choices);
    expect(() => parseKernelChoices(text, 'another')).toThrow(expect.objectContaining({ code: 'gpu/choices' }));
  });

  const sound = { format: 'limn.kernel-choices', version: 1, key: 'k', choices: { a: 'b' } };
  test.each([
    ['nothing', ''],
    ['text that is cut off', JSON.stringify(sound).slice(0, -2)],
    ['no object', '[]'],
    ['another format', JSON.stringify({ ...sound, format: 'limn.result' })],
    ['a later version', JSON.stringify({ ...sound, version: 2 })],
    ['choices that are a list', JSON.stringify({ ...sound, choices: ['a'] })],
    ['a choice that is no text', JSON.stringify({ ...sound, choices: { a: 1 } })],
    ['a name with a line end', JSON.stringify({ ...sound, choices: { 'a\n': 'b' } })],
    ['an empty choice', JSON.stringify({ ...sound, choices: { a: '' } })],
    ['more than can be meant', JSON.stringify({ ...sound, choices: { a: 'x'.repeat(2 ** 20) } })],
  ])('are refused from %s', (_, text) => {
    expect(parseKernelChoices(JSON.stringify(sound), 'k')).toEqual({ a: 'b' });
    expect(() => parseKernelChoices(text, 'k')).toThrow(expect.objectContaining({ code: 'gpu/choices' }));
  });

  test('hold for an adapter, a driver, features and limits of workgroups; not for a measured speed or the size of buffers', async () => {
    const key = await kernelKey(card);
    expect(key).toMatch(/^[0-9a-f]{64}$/);
    const limits = (changed: Partial<Capabilities['limits']>): Capabilities => ({
      ...card,
      limits: { ...card.limits, ...changed },
    });
    const others = [
      { ...card, adapter: { ...adapter, description: 'card: driver 1.2.4' } },
      { ...card, adapter: { ...adapter, vendor: 'another' } },
      { ...card, f16: true },
      { ...card, subgroups: true },
      { ...card, subgroupMax: 32 },
      limits({ maxComputeWorkgroupStorageSize: 32768 }),
    ];
    expect(new Set([key, ...(await Promise.all(others.map(kernelKey)))]).size).toBe(others.length + 1);
    const same = [{ ...card, flopsPerSecond: 1 }, { ...card, timestamps: true }, limits({ maxBufferSize: 2 ** 30 })];
    expect(await Promise.all(same.map(kernelKey))).toEqual(same.map(() => key));
  });

  test('are given at open, and none are taken otherwise', () => {
    expect(dryGpu().choices).toBe(builtInChoices);
    expect(dryGpu({}, { choices }).choices).toBe(choices);
  });
});

describe('the cache', () => {
  test('gives back what was written, to the device that it was written for', async () => {
    const cache = ownCache();
    expect(await readKernelChoices(card, cache)).toBeUndefined();
    const file = await writeKernelChoices(card, choices, cache);
    expect(file).toBe(path.join(cache.env['XDG_CACHE_HOME']!, 'limn', 'kernels', `${await kernelKey(card)}.json`));
    expect(await readKernelChoices(card, cache)).toEqual(choices);
    expect(await readKernelChoices({ ...card, f16: true }, cache)).toBeUndefined();
    expect(await forgetKernelChoices(card, cache.env)).toBe(true);
    expect(await forgetKernelChoices(card, cache.env)).toBe(false);
    expect(await readKernelChoices(card, cache)).toBeUndefined();
    expect(cache.notices).toEqual([]);
  });

  test('lies in ~/.cache where XDG_CACHE_HOME is not set, or relative', async () => {
    const folder = path.join(os.homedir(), '.cache', 'limn', 'kernels');
    expect(path.dirname(await kernelChoicesFile(card, {}))).toBe(folder);
    expect(path.dirname(await kernelChoicesFile(card, { XDG_CACHE_HOME: 'here' }))).toBe(folder);
  });

  test.each([
    ['damaged', (file: string) => writeFileSync(file, '{"format":')],
    ['for another device', (file: string) => writeFileSync(file, formatKernelChoices(choices, 'another'))],
    ['a folder', (file: string) => mkdirSync(file)],
  ])('is ignored with one notice where its file is %s', async (_, spoil) => {
    const cache = ownCache();
    const file = await kernelChoicesFile(card, cache.env);
    mkdirSync(path.dirname(file), { recursive: true });
    spoil(file);
    for (let i = 0; i < 3; i++) expect(await readKernelChoices(card, cache)).toBeUndefined();
    expect(cache.notices).toHaveLength(1);
    expect(cache.notices[0]).toContain(file);
  });

  test('that cannot be written is done without, with one notice', async () => {
    const cache = ownCache();
    // A file where the folder should be: refused to every user, as a read-only folder is not to root.
    writeFileSync(path.join(cache.env['XDG_CACHE_HOME']!, 'limn'), '');
    for (let i = 0; i < 2; i++) expect(await writeKernelChoices(card, choices, cache)).toBeUndefined();
    expect(cache.notices).toHaveLength(1);
    expect(await readKernelChoices(card, cache)).toBeUndefined();
    expect(cache.notices).toHaveLength(1);
  });

  test('in a read-only folder is read and not written', async (context) => {
    context.skip(process.getuid?.() === 0 || process.platform === 'win32', 'this user may write to read-only folders');
    const cache = ownCache();
    const file = (await writeKernelChoices(card, choices, cache)) as string;
    chmodSync(path.dirname(file), 0o500);
    expect(await readKernelChoices(card, cache)).toEqual(choices);
    expect(await writeKernelChoices(card, builtInChoices, cache)).toBeUndefined();
    chmodSync(path.dirname(file), 0o700);
    expect(await readKernelChoices(card, cache)).toEqual(choices);
  });

  test('has one whole file and no drafts after many writers at once', async () => {
    const cache = ownCache();
    const written = Array.from({ length: 20 }, (_, i) => kernelChoices({ 'matmul m4': `kernel-${i}` }));
    const readers = Array.from({ length: 20 }, () => readKernelChoices(card, cache));
    const files = await Promise.all(written.map((each) => writeKernelChoices(card, each, cache)));
    await Promise.all(readers);
    const file = files[0] as string;
    expect(readdirSync(path.dirname(file))).toEqual([path.basename(file)]);
    expect(written).toContainEqual(parseKernelChoices(readFileSync(file, 'utf8'), await kernelKey(card)));
    expect(cache.notices).toEqual([]);
  });
});

describe('opening a device', () => {
  const opened: Gpu[] = [];
  afterEach(() => opened.splice(0).forEach((gpu) => gpu.dispose()));
  const open = async (options: Parameters<typeof openNodeGpu>[0]): Promise<Gpu> => {
    const gpu = await openNodeGpu({ workBudgetFlops: 1e9, ...options });
    opened.push(gpu);
    return gpu;
  };

  test('LIMN_KERNELS decides, or the caller; an unknown word is refused', async () => {
    expect(kernelSetting({})).toBe('cached');
    expect(kernelSetting({ LIMN_KERNELS: 'built-in' })).toBe('built-in');
    vi.stubEnv('LIMN_KERNELS', 'fastest');
    await expect(openNodeGpu()).rejects.toMatchObject({
      code: 'gpu/kernel-setting',
      details: { allowed: ['cached', 'built-in'] },
    });
    expect((await open({ choices: 'built-in' })).choices).toBe(builtInChoices);
  });

  test('takes what is kept for the device by default, and neither with built-in', async () => {
    const cache = ownCache();
    vi.stubEnv('XDG_CACHE_HOME', cache.env['XDG_CACHE_HOME']!);
    vi.stubEnv('LIMN_KERNELS', '');
    const first = await open({});
    expect(first.choices).toBe(builtInChoices);
    const file = await writeKernelChoices(first.capabilities, choices, cache);
    expect((await open({})).choices).toEqual(choices);
    vi.stubEnv('LIMN_KERNELS', 'built-in');
    expect((await open({})).choices).toBe(builtInChoices);
    expect((await open({ choices: 'cached' })).choices).toEqual(choices);
    const own = kernelChoices({ 'matmul m4': 'naive' });
    expect((await open({ choices: own })).choices).toBe(own);
    writeFileSync(file as string, 'damaged');
    const notices: string[] = [];
    const opening = await open({ choices: 'cached', onNotice: (line) => notices.push(line) });
    expect(opening.choices).toBe(builtInChoices);
    expect(notices.filter((line) => line.includes(file as string))).toHaveLength(1);
  });

  test('tests do not see the cache of whoever runs them', () => {
    expect(process.env['LIMN_KERNELS']).toBe('built-in');
  });
});
