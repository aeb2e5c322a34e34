// Models from a hub: the shared cache folder, offline mode, tokens and paths, against a server on this machine.
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'; // prettier-ignore
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { LimnError } from '@limn/gpu';
import { testGpu, refusal } from '@limn/testing';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { loadGpt2, memoryFiles } from '../src/index.js';
import { FolderCache, openModel } from '../src/node.js';
import { modelFiles } from './hub/model.js';
import { gitIdOf, sha256Of, TestHub } from './hub/server.js';

const home = mkdtempSync(path.join(os.tmpdir(), 'limn-hub-'));
const files = modelFiles();
const token = 'hf_test';
let hub: TestHub;
let cacheDir: string;
beforeEach(async () => {
  hub = await TestHub.start(files);
  cacheDir = mkdtempSync(path.join(home, 'cache-'));
});
afterEach(() => hub.stop());
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** A fetch that must not be called. */
const noNetwork: typeof fetch = async (input) => {
  throw new Error(`asked for ${String(input)}`);
};

describe('from the hub', () => {
  test('a model is downloaded into the folder that Python shares, loads, and is not downloaded twice', async () => {
    const progress: [number, number][] = [];
    const options = {
      endpoint: hub.endpoint,
      cacheDir,
      token,
      onProgress: (p: { done: number; total: number }) => progress.push([p.done, p.total]),
    };
    const source = await openModel('tiny/gpt2', options);
    expect(source.label).toBe(`tiny/gpt2@${hub.commit}`);
    const wanted = ['config.json', 'merges.txt', 'model.safetensors', 'vocab.json'];
    expect([...(await source.list())].sort()).toEqual(wanted);

    const repo = path.join(cacheDir, 'models--tiny--gpt2');
    const snapshot = path.join(repo, 'snapshots', hub.commit);
    expect(readdirSync(repo).sort()).toEqual(['.no_exist', 'blobs', 'refs', 'snapshots']);
    expect(readFileSync(path.join(repo, 'refs/main'), 'utf8')).toBe(hub.commit);
    expect(readdirSync(snapshot).sort()).toEqual(wanted);
    for (const name of wanted) {
      const bytes = files.get(name) as Uint8Array;
      const digest = name.endsWith('.safetensors') ? sha256Of(bytes) : gitIdOf(bytes);
      expect(lstatSync(path.join(snapshot, name)).isSymbolicLink()).toBe(true);
      expect(readlinkSync(path.join(snapshot, name))).toBe(path.join('../../blobs', digest));
      expect(readFileSync(path.join(snapshot, name)).equals(bytes)).toBe(true);
    }
    expect(readdirSync(path.join(repo, 'blobs')).length).toBe(wanted.length);
    expect(readdirSync(path.join(repo, '.no_exist', hub.commit)).sort()).toEqual([
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(readdirSync(path.join(cacheDir, '.locks/models--tiny--gpt2'))).toEqual([]);

    const total = wanted.reduce((sum, name) => sum + (files.get(name) as Uint8Array).length, 0);
    expect(progress.at(-1)).toEqual([total, total]);
    expect(progress.every(([done], i) => done >= (progress[i - 1]?.[0] ?? 0))).toBe(true);

    const gpu = await testGpu();
    const { model, tokenizer } = await loadGpt2(gpu, source);
    const { model: plain } = await loadGpt2(gpu, memoryFiles(Object.fromEntries(files)));
    expect(model.info).toEqual(plain.info);
    expect(tokenizer?.encode('abab', { prependBos: true }).ids).toEqual([0, 3, 3]);
    model.dispose();
    plain.dispose();

    // main may have moved: one question. A commit cannot move: none.
    const before = hub.seen.length;
    await openModel('tiny/gpt2', options);
    expect(hub.seen.slice(before).map((seen) => seen.path)).toEqual(['/api/models/tiny/gpt2/revision/main']);
    await openModel(`tiny/gpt2@${hub.commit}`, { cacheDir, fetch: noNetwork });
  });

  test('the environment is obeyed where no option speaks', async () => {
    vi.stubEnv('HF_ENDPOINT', hub.endpoint);
    vi.stubEnv('HF_HOME', cacheDir);
    vi.stubEnv('HF_HUB_CACHE', '');
    vi.stubEnv('HF_TOKEN', 'hf_environment');
    try {
      await openModel('tiny/gpt2');
      expect(readdirSync(path.join(cacheDir, 'hub'))).toContain('models--tiny--gpt2');
      expect(hub.seen.filter(({ host }) => host === 'hub').map((seen) => seen.token)).toContain(
        'Bearer hf_environment',
      );
      const before = hub.seen.length;
      vi.stubEnv('HF_HUB_OFFLINE', '1');
      expect((await openModel('tiny/gpt2')).label).toBe(`tiny/gpt2@${hub.commit}`);
      expect((await refusal(openModel('tiny/other'))).code).toBe('hub/offline');
      expect(hub.seen.length).toBe(before);
      await openModel('tiny/gpt2', { offline: false });
      expect(hub.seen.length).toBe(before + 1);
    } finally {
      vi.unstubAllEnvs();
    }
  });

  test('the token goes to the hub and to no other host', async () => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token });
    expect(hub.seen.filter(({ host }) => host === 'hub').every((seen) => seen.token === `Bearer ${token}`)).toBe(true);
    const elsewhere = hub.seen.filter(({ host }) => host === 'contents');
    expect(elsewhere.map((seen) => [seen.path, seen.token])).toEqual([['/model.safetensors', undefined]]);
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false });
    expect(hub.seen.at(-1)?.token).toBeUndefined();
  });

  test('a model that was renamed is found under its old name, and keeps it in the cache', async () => {
    hub.fail(/^hub .*\/old\/name\//, (request, response) => {
      const target = (request.url as string).replace('old/name', 'tiny/gpt2');
      response.writeHead(307, { location: target }).end();
    });
    const source = await openModel('old/name', { endpoint: hub.endpoint, cacheDir, token });
    expect(source.label).toBe(`old/name@${hub.commit}`);
    expect(readdirSync(cacheDir)).toContain('models--old--name');
    expect(hub.seen.filter(({ host }) => host === 'hub').every((seen) => seen.token === `Bearer ${token}`)).toBe(true);
  });

  test('a cache that can only be read serves what it has, and says so', async () => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token });
    // What cannot be written, whoever asks: a folder where the note would be.
    rmSync(path.join(cacheDir, 'models--tiny--gpt2/refs'), { recursive: true });
    writeFileSync(path.join(cacheDir, 'models--tiny--gpt2/refs'), '');
    const notices: string[] = [];
    const onNotice = (text: string): void => void notices.push(text);
    const source = await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token, onNotice });
    expect(source.label).toBe(`tiny/gpt2@${hub.commit}`);
    expect(notices).toEqual([expect.stringContaining('was not noted')]);
  });

  test('shards come by their index', async () => {
    const sharded = await TestHub.start(modelFiles({ shards: true }), 'ab'.repeat(20));
    try {
      const source = await openModel('tiny/gpt2', { endpoint: sharded.endpoint, cacheDir, token: false });
      const gpu = await testGpu();
      const { model } = await loadGpt2(gpu, source);
      const { model: plain } = await loadGpt2(gpu, memoryFiles(Object.fromEntries(files)));
      expect(model.info.fingerprint).toBe(plain.info.fingerprint);
      model.dispose();
      plain.dispose();
      const again = await openModel(`tiny/gpt2@${sharded.commit}`, { cacheDir, offline: true, fetch: noNetwork });
      expect(await again.list()).toEqual(await source.list());
      const shard = path.join(
        cacheDir,
        'models--tiny--gpt2/snapshots',
        sharded.commit,
        'model-00002-of-00002.safetensors',
      );
      rmSync(shard);
      const error = await refusal(openModel(`tiny/gpt2@${sharded.commit}`, { cacheDir, offline: true }));
      expect([error.code, error.details['missing']]).toEqual(['hub/offline', 'model-00002-of-00002.safetensors']);
    } finally {
      await sharded.stop();
    }
  });

  test('what Python left in the cache is completed, not downloaded again', async () => {
    // huggingface_hub's from_pretrained asks for these two alone, and notes nothing about others.
    const repo = path.join(cacheDir, 'models--tiny--gpt2');
    for (const folder of ['blobs', 'refs', `snapshots/${hub.commit}`])
      mkdirSync(path.join(repo, folder), { recursive: true });
    writeFileSync(path.join(repo, 'refs/main'), hub.commit);
    for (const name of ['config.json', 'model.safetensors']) {
      writeFileSync(path.join(repo, 'blobs', name), files.get(name) as Uint8Array);
      symlinkSync(path.join('../../blobs', name), path.join(repo, 'snapshots', hub.commit, name));
    }
    const offline = await openModel('tiny/gpt2', { cacheDir, offline: true, fetch: noNetwork });
    expect(await offline.list()).toEqual(['config.json', 'model.safetensors']);
    const source = await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false });
    expect([...(await source.list())].sort()).toEqual(['config.json', 'merges.txt', 'model.safetensors', 'vocab.json']);
    expect(hub.asked(/resolve/).map((seen) => path.basename(seen.path))).toEqual(['vocab.json', 'merges.txt']);
  });
});

describe('without the network', () => {
  test('a path is a path', async () => {
    const folder = path.join(home, 'plain');
    mkdirSync(folder, { recursive: true });
    for (const [name, bytes] of files) writeFileSync(path.join(folder, name), bytes);
    for (const name of [
      folder,
      `${folder}/`,
      pathToFileURL(folder),
      pathToFileURL(folder).href,
      path.relative('.', folder),
    ]) {
      const source = await openModel(name, { fetch: noNetwork });
      expect(await source.size('model.safetensors')).toBe(files.get('model.safetensors')?.length);
    }
    for (const name of ['file://elsewhere/folder', 'file:///a%2Fb'])
      expect((await refusal(openModel(name, { fetch: noNetwork }))).code).toBe('hub/bad-id');
    expect((await refusal((await openModel('./gpt2', { fetch: noNetwork })).size('config.json'))).code).toBe(
      'files/not-found',
    );
  });

  test('offline mode names the missing file and where it was looked for, and opens what is cached', async () => {
    const empty = await refusal(openModel('tiny/gpt2', { cacheDir, offline: true, fetch: noNetwork }));
    const place = path.join(cacheDir, 'models--tiny--gpt2');
    expect([empty.code, empty.details['missing'], empty.details['searched']]).toEqual([
      'hub/offline',
      'the revision',
      path.join(place, 'refs/main'),
    ]);
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false });
    const source = await openModel('tiny/gpt2', { cacheDir, offline: true, fetch: noNetwork });
    expect(source.label).toBe(`tiny/gpt2@${hub.commit}`);
    rmSync(path.join(place, 'snapshots', hub.commit, 'model.safetensors'));
    const error = await refusal(openModel('tiny/gpt2', { cacheDir, offline: true, fetch: noNetwork }));
    expect([error.code, error.details['missing']]).toEqual(['hub/offline', 'model.safetensors']);
    expect(error.hint).toContain(path.join(place, 'snapshots', hub.commit));
    expect(existsSync(path.join(place, 'blobs'))).toBe(true);
  });

  test('a hub out of reach is no obstacle to what is cached, and is reported', async () => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false });
    hub.fail(/revision/, (_request, response) => void response.writeHead(503, { 'retry-after': '3600' }).end());
    const notices: string[] = [];
    const source = await openModel('tiny/gpt2', {
      endpoint: hub.endpoint,
      cacheDir,
      token: false,
      onNotice: (text) => notices.push(text),
    });
    expect(source.label).toBe(`tiny/gpt2@${hub.commit}`);
    expect(notices).toEqual([expect.stringContaining(`Using commit ${hub.commit}`)]);
  });

  test('config and weights that are cached are enough where the hub cannot be asked what else there is', async () => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false });
    const repository = path.join(cacheDir, 'models--tiny--gpt2');
    rmSync(path.join(repository, '.no_exist'), { recursive: true });
    for (const name of ['vocab.json', 'merges.txt']) rmSync(path.join(repository, 'snapshots', hub.commit, name));
    hub.fail(/^hub .*\/tree\//, (_request, response) => void response.writeHead(503, { 'retry-after': '3600' }).end());
    const notices: string[] = [];
    const source = await openModel('tiny/gpt2', {
      endpoint: hub.endpoint,
      cacheDir,
      token: false,
      onNotice: (text) => notices.push(text),
    });
    expect(await source.list()).toEqual(['config.json', 'model.safetensors']);
    expect(notices).toEqual([expect.stringContaining(`Using what is cached of tiny/gpt2@${hub.commit}`)]);
    rmSync(path.join(repository, 'snapshots', hub.commit, 'config.json'));
    expect((await refusal(openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false }))).code).toBe(
      'hub/unavailable',
    );
  });

  test('what cannot be noted in a cache is said, and the model is opened', async () => {
    class ReadOnly extends FolderCache {
      override async noteAbsent(): Promise<void> {
        throw new LimnError('hub/cache', 'read-only');
      }
      override async remember(): Promise<void> {
        throw new LimnError('hub/cache', 'read-only');
      }
    }
    const notices: string[] = [];
    const cache = new ReadOnly(cacheDir);
    const options = {
      endpoint: hub.endpoint,
      token: false,
      cache,
      onNotice: (text: string) => void notices.push(text),
    } as const;
    expect((await openModel('tiny/gpt2', options)).label).toBe(`tiny/gpt2@${hub.commit}`);
    expect(notices).toEqual([
      'read-only. That it has no tokenizer.json, tokenizer_config.json was not noted.',
      `read-only. That main is at ${hub.commit} was not noted.`,
    ]);
  });

  test('a link that leads out of the cache is refused', async () => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false });
    const config = path.join(cacheDir, 'models--tiny--gpt2/snapshots', hub.commit, 'config.json');
    rmSync(config);
    symlinkSync('/etc/passwd', config);
    expect((await refusal(openModel('tiny/gpt2', { cacheDir, offline: true }))).code).toBe('hub/cache');
  });

  test("a model's folder, or its contents, that were moved to another disk and linked are followed", async () => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cacheDir, token: false });
    const repository = path.join(cacheDir, 'models--tiny--gpt2');
    for (const folder of [path.join(repository, 'blobs'), repository]) {
      const elsewhere = path.join(mkdtempSync(path.join(home, 'disk-')), 'moved');
      renameSync(folder, elsewhere);
      symlinkSync(elsewhere, folder);
      const source = await openModel('tiny/gpt2', { cacheDir, offline: true, fetch: noNetwork });
      expect(sha256Of(await source.read('model.safetensors'))).toBe(
        sha256Of(files.get('model.safetensors') as Uint8Array),
      );
    }
  });
});
