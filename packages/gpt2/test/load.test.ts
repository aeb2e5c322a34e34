// Loading and saving whole models: round trips keep every bit; a folder that is wrong leaves nothing on the GPU and nothing half-written.
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { tokenBatch } from '@limn/hooks';
import { fillNormal, readFloats } from '@limn/tensor';
import { testGpu, refusal } from '@limn/testing';
import { afterAll, describe, expect, test } from 'vitest';
import { fetchFiles, loadGpt2, memoryFiles, randomGpt2, saveGpt2, type Gpt2 } from '../src/index.js';
import { openFolder } from '../src/node.js';

const sizes = { vocabulary: 7, maxPositions: 5, width: 6, layers: 1, heads: 3, mlpWidth: 5 };
const home = mkdtempSync(path.join(os.tmpdir(), 'limn-load-'));
afterAll(() => rmSync(home, { recursive: true, force: true }));

async function logits(model: Gpt2): Promise<number[]> {
  const step = model.gpu.step();
  return [...(await readFloats(step, model.run(step, { tokens: tokenBatch([[1, 2, 6]], model.info) }).logits))];
}

describe('load and save', () => {
  test.each([true, false])('a saved model loads to the same bits (tied: %s)', async (tied) => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, { ...sizes, tied, bosId: 0 }, 1);
    const folder = path.join(home, String(tied));
    await saveGpt2(model, openFolder(folder));
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors']);
    const { model: loaded, tokenizer, source } = await loadGpt2(gpu, openFolder(folder));
    expect(tokenizer).toBeUndefined();
    expect(source).toBe(folder);
    expect(loaded.info).toEqual(model.info);
    expect(loaded.tied).toBe(tied);
    expect(await logits(loaded)).toEqual(await logits(model));
    const again = await randomGpt2(gpu, { ...sizes, tied, bosId: 0 }, 1);
    expect(again.info.fingerprint).toBe(model.info.fingerprint);
    for (const each of [model, loaded, again]) each.dispose();
  });

  test('random weights are the numbers of their streams, and hashing them is a choice', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 7);
    const bits = new Map<string, Float32Array>();
    for await (const [name, { data }] of model.hostWeights()) bits.set(name, data);
    const stream = [...bits.keys()].indexOf('h.0.mlp.c_proj.weight');
    const deviation = model.config.initializerRange / Math.sqrt(2);
    expect(bits.get('h.0.mlp.c_proj.weight')).toEqual(fillNormal(new Float32Array(30), { seed: 7, stream }, deviation));
    expect([...(bits.get('ln_f.weight') as Float32Array), ...(bits.get('ln_f.bias') as Float32Array)]).toEqual([
      1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0,
    ]);
    const unread = await randomGpt2(gpu, sizes, 7, { readBack: false });
    expect(unread.info.fingerprint).toMatch(/^[0-9a-f]{64}$/);
    expect(unread.info.fingerprint).not.toBe(model.info.fingerprint);
    expect(await unread.refreshFingerprint()).toBe(model.info.fingerprint);
    model.dispose();
    unread.dispose();
  });

  test('an abort by the last onProgress ends the load; processing: null and an orientation that is none are refused', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 3);
    const files = memoryFiles({});
    await saveGpt2(model, files);
    model.dispose();
    const before = gpu.counters.snapshot().bytesLive;
    const stop = new AbortController();
    const load = loadGpt2(gpu, files, {
      signal: stop.signal,
      onProgress: ({ done, total }) => void (done === total && stop.abort(new Error('enough'))),
    });
    await expect(load).rejects.toThrow('enough');
    for (const [options, code] of [
      [{ processing: null }, 'weights/bad-processing'],
      [{ orientation: 'out_in' }, 'weights/bad-orientation'],
    ] as const)
      expect((await refusal(loadGpt2(gpu, files, options as never))).code).toBe(code);
    expect(gpu.counters.snapshot().bytesLive).toBe(before);
  });

  test('a server with and without ranges gives the same model', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 2);
    const files = memoryFiles({});
    await saveGpt2(model, files);
    for (const ranges of [true, false]) {
      const served: typeof fetch = async (input, init) => {
        const name = decodeURIComponent(String(input).split('/').at(-1) as string);
        if (!(await files.list()).includes(name)) return new Response(null, { status: 404 });
        const bytes = await files.read(name);
        if (init?.method === 'HEAD') return new Response(null, { headers: { 'content-length': String(bytes.length) } });
        const range = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get('range') ?? '');
        return range && ranges
          ? new Response(bytes.slice(Number(range[1]), Number(range[2]) + 1), { status: 206 })
          : new Response(bytes);
      };
      const remote = fetchFiles('https://models.example/tiny', ['config.json', 'model.safetensors'], served);
      const { model: loaded } = await loadGpt2(gpu, remote);
      expect(loaded.info.fingerprint).toBe(model.info.fingerprint);
      loaded.dispose();
      expect((await refusal(remote.read('absent.json'))).code).toBe('files/not-found');
    }
    model.dispose();
  });

  test('a model that cannot be loaded leaves nothing on the GPU', async () => {
    const gpu = await testGpu();
    const model = await randomGpt2(gpu, sizes, 3);
    const files = memoryFiles({});
    await saveGpt2(model, files);
    model.dispose();
    const live = gpu.counters.snapshot().bytesLive;
    const bytes = await files.read('model.safetensors');
    // The last four bytes are the last value of the last tensor, so everything before it has been uploaded when this is found.
    const spoilt = Uint8Array.from(bytes);
    new DataView(spoilt.buffer).setFloat32(spoilt.length - 4, Number.NaN, true);
    await files.write('model.safetensors', spoilt);
    expect((await refusal(loadGpt2(gpu, files))).code).toBe('weights/not-finite');
    await files.write('model.safetensors', bytes.slice(0, -1));
    expect((await refusal(loadGpt2(gpu, files))).code).toBe('safetensors/truncated');
    expect(gpu.counters.snapshot().bytesLive).toBe(live);
    await files.write('model.safetensors', bytes);
    const stop = new AbortController();
    stop.abort(new Error('not now'));
    await expect(loadGpt2(gpu, files, { signal: stop.signal })).rejects.toThrow('not now');
    expect(gpu.counters.snapshot().bytesLive).toBe(live);
  });

  test('a folder refuses names that lead out of it, says what it holds, and never keeps half a file', async () => {
    const folder = openFolder(path.join(home, 'plain'));
    for (const name of ['../x', '/etc/passwd', 'a/b', '..', '', 'a\0b', 'a\\b'])
      expect((await refusal(folder.read(name))).code).toBe('files/bad-name');
    await folder.write('a.txt', new TextEncoder().encode('abc'));
    const missing = await refusal(folder.read('b.txt'));
    expect([missing.code, missing.hint]).toEqual(['files/not-found', 'It holds: a.txt.']);
    expect((await refusal(folder.read('a.txt', 1, 9))).code).toBe('files/short');
    expect(new TextDecoder().decode(await folder.read('a.txt', 1, 3))).toBe('bc');
    writeFileSync(path.join(home, 'file'), 'x');
    expect((await refusal(openFolder(path.join(home, 'file', 'below')).write('a', new Uint8Array(1)))).code).toBe(
      'files/write',
    );
    expect(readdirSync(path.join(home, 'plain'))).toEqual(['a.txt']);
  });

  test('what is no file is not read as one: it may have no end', async () => {
    const folder = openFolder(path.join(home, 'devices'));
    const model = await randomGpt2(await testGpu(), sizes, 1);
    await saveGpt2(model, folder);
    model.dispose();
    for (const [name, target] of [
      ['model.safetensors', home],
      ['config.json', '/dev/zero'],
    ] as const) {
      const place = path.join(home, 'devices', name);
      rmSync(place);
      symlinkSync(target, place);
      const error = await refusal(loadGpt2(await testGpu(), folder));
      expect([error.code, error.message]).toEqual(['files/read', expect.stringContaining(name)]);
    }
  });
});
