// What a page uses: models from a hub in the browser's private file system, and the rules of redirects and tokens.
import { refusal } from '@limn/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openModel, OpfsCache, type HubFile, type PartialBlob } from '../src/index.js';
import { webDirectory } from '../src/hub/directory.js';
import { HubHttp } from '../src/hub/http.js';
import { openSnapshot } from '../src/hub/snapshot.js';
import { modelFiles } from './hub/model.js';
import { PrivateDisk } from './hub/private-files.js';
import { cutAfter, gitIdOf, sha256Of, TestHub } from './hub/server.js';

const MiB = 2 ** 20;
const files = modelFiles();
const weights = files.get('model.safetensors') as Uint8Array;
let hub: TestHub;
let disk: PrivateDisk;
beforeEach(async () => {
  hub = await TestHub.start(files);
  disk = new PrivateDisk();
});
afterEach(() => hub.stop());

const cache = (): OpfsCache => new OpfsCache(disk.root, undefined, undefined);
const noNetwork: typeof fetch = async (input) => {
  throw new Error(`asked for ${String(input)}`);
};

describe("in the browser's private file system", () => {
  test('a model is stored once and opened without the network', async () => {
    const source = await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    expect([...(await source.list())].sort()).toEqual(['config.json', 'merges.txt', 'model.safetensors', 'vocab.json']);
    for (const name of await source.list()) {
      const bytes = files.get(name) as Uint8Array;
      expect(await source.size(name)).toBe(bytes.length);
      expect(sha256Of(await source.read(name))).toBe(sha256Of(bytes));
      expect(await source.read(name, 3, 11)).toEqual(bytes.slice(3, 11));
    }
    expect((await refusal(source.read('model.safetensors', 0, weights.length + 1))).code).toBe('files/short');
    expect((await refusal(source.read('README.md'))).code).toBe('files/not-found');
    const before = hub.seen.length;
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    expect(hub.seen.slice(before).map(({ path }) => path)).toEqual(['/api/models/tiny/gpt2/revision/main']);
    await openModel(`tiny/gpt2@${hub.commit}`, { cache: cache(), fetch: noNetwork });
    expect((await openModel('tiny/gpt2', { cache: cache(), fetch: noNetwork, offline: true })).label).toBe(
      source.label,
    );
    const error = await refusal(openModel('tiny/other', { cache: cache(), fetch: noNetwork, offline: true }));
    expect(error.code).toBe('hub/offline');
  });

  test('a download that broke goes on where it was, and counts only when it is whole and right', async () => {
    const http = (): HubHttp => new HubHttp({ endpoint: hub.endpoint, wait: async () => undefined });
    hub.fail(/^contents/, cutAfter(hub, 'model.safetensors', 100_000), 5);
    expect(
      (await refusal(openSnapshot('tiny/gpt2', 'main', { http: http(), directory: webDirectory, cache: cache() })))
        .code,
    ).toBe('hub/cut-off');
    const blob = `models--tiny--gpt2/blobs/${sha256Of(weights)}`;
    expect(disk.files().get(`${blob}/0`)).toBe(500_000);
    expect(disk.files().has(`${blob}.done`)).toBe(false);
    const source = await openSnapshot('tiny/gpt2', 'main', { http: http(), directory: webDirectory, cache: cache() });
    expect(hub.seen.at(-1)?.range).toBe('bytes=500000-');
    expect(disk.files().has(`${blob}.done`)).toBe(true);
    expect(sha256Of(await source.read('model.safetensors'))).toBe(sha256Of(weights));
  });

  test('contents of several parts are read across their borders, resumed at any place, and digested as sha256 and as git does', async () => {
    const bytes = Uint8Array.from({ length: 8 * MiB + 5 }, (_, i) => (i * 7) % 253);
    for (const [kind, etag] of [
      ['sha256', sha256Of(bytes)],
      ['git-sha1', gitIdOf(bytes)],
    ] as const) {
      const file: HubFile = { name: 'big', size: bytes.length, etag, kind };
      const stops = kind === 'sha256' ? [3 * MiB, 8 * MiB, 8 * MiB + 1] : [MiB];
      for (const stop of stops) {
        const left = cache().add('a/b', 'c'.repeat(40), file, async (blob) => {
          while (blob.size < stop) await blob.append(bytes.subarray(blob.size, Math.min(stop, blob.size + 1_500_000)));
          throw new Error('closed');
        });
        await expect(left).rejects.toThrow('closed');
        expect(await cache().begun('a/b', file)).toBe(stop);
      }
      await cache().add('a/b', 'c'.repeat(40), file, async (blob) => {
        expect(blob.size).toBe(stops.at(-1));
        await blob.append(bytes.subarray(blob.size));
        expect(await blob.digest(kind)).toBe(etag);
      });
      const source = cache().open('a/b', 'c'.repeat(40), ['big'], 'x');
      for (const [from, to] of [
        [0, 1],
        [8 * MiB - 3, 8 * MiB + 3],
        [MiB, 8 * MiB + 1],
        [8 * MiB, bytes.length],
      ] as const)
        // prettier-ignore
        expect(Buffer.compare(await source.read('big', from, to), bytes.subarray(from, to))).toBe(0);
      await cache().add('a/b', 'd'.repeat(40), file, async () => expect.unreachable('it is there already'));
    }
  });

  test('a full disk is a coded error and keeps nothing as if it were whole', async () => {
    disk.room = 300_000;
    const error = await refusal(openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() }));
    expect([error.code, error.details['reason']]).toEqual(['hub/disk-space', 'QuotaExceededError']);
    disk.room = Infinity;
    const source = await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    expect(sha256Of(await source.read('model.safetensors'))).toBe(sha256Of(weights));
    const quota = { estimate: async () => ({ quota: 1000, usage: 400 }) } as unknown as StorageManager;
    const small = new OpfsCache(new PrivateDisk().root, undefined, quota);
    const refused = await refusal(openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: small }));
    expect([refused.code, refused.details['free']]).toEqual(['hub/disk-space', 600]);
  });

  describe('the end of the share of the disk', () => {
    const bytes = Uint8Array.from({ length: 12 * MiB }, (_, i) => (i * 7) % 253);
    const file: HubFile = { name: 'big', size: bytes.length, etag: sha256Of(bytes), kind: 'sha256' };
    const [id, commit] = ['a/b', 'c'.repeat(40)];
    const rest = async (blob: PartialBlob): Promise<void> => {
      while (blob.size < bytes.length) await blob.append(bytes.subarray(blob.size, blob.size + MiB));
    };

    test('keeps what came, says how much is missing, and the next try goes on from there', async () => {
      disk.room = 9 * MiB;
      const quota = { estimate: async () => ({ quota: 9 * MiB, usage: 8 * MiB }) } as unknown as StorageManager;
      const error = await refusal(new OpfsCache(disk.root, undefined, quota).add(id, commit, file, rest));
      expect([error.code, error.details]).toEqual([
        'hub/disk-space',
        { reason: 'QuotaExceededError', file: 'big', held: 8 * MiB, needed: 4 * MiB, size: 12 * MiB, free: MiB },
      ]);
      expect(error.message).toContain(
        'holds 8.00 MiB of big; 4.00 MiB more are needed, and there is room for 1.00 MiB',
      );
      expect(await cache().begun(id, file)).toBe(8 * MiB);
      disk.room = Infinity;
      let resumed: number | undefined;
      await cache().add(id, commit, file, async (blob) => {
        resumed = blob.size;
        await rest(blob);
      });
      expect(resumed).toBe(8 * MiB);
      expect(sha256Of(await cache().open(id, commit, ['big'], 'x').read('big'))).toBe(file.etag);
    });

    test('in what is stored after a failure does not replace that failure', async () => {
      const broken = cache().add(id, commit, file, async (blob) => {
        await blob.append(bytes.subarray(0, MiB));
        disk.room = 0;
        throw new Error('the connection broke');
      });
      await expect(broken).rejects.toThrow('the connection broke');
    });
  });

  test.each([
    '{"config.json":{"etag":"',
    '[]',
    '7',
    '{"config.json":{"etag":"../x","size":1}}',
    '{"config.json":{"etag":1}}',
  ])('a damaged list of what is stored (%s) is made again, and nothing is fetched twice', async (text) => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    const home = await disk.root.getDirectoryHandle('models--tiny--gpt2');
    const list = await (await home.getDirectoryHandle('snapshots')).getFileHandle(`${hub.commit}.json`);
    const writable = await list.createWritable();
    await writable.write(new TextEncoder().encode(text));
    await writable.close();
    const offline = openModel('tiny/gpt2', { cache: cache(), fetch: noNetwork, offline: true });
    expect((await refusal(offline)).code).toBe('hub/offline');
    const before = hub.seen.length;
    const source = await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    expect(sha256Of(await source.read('model.safetensors'))).toBe(sha256Of(weights));
    expect(hub.seen.slice(before).filter(({ path }) => !path.startsWith('/api/'))).toEqual([]);
    await openModel('tiny/gpt2', { cache: cache(), fetch: noNetwork, offline: true });
  });

  test('contents that were taken away are fetched again', async () => {
    await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    const home = await disk.root.getDirectoryHandle('models--tiny--gpt2');
    await (await (await home.getDirectoryHandle('blobs')).getDirectoryHandle(sha256Of(weights))).removeEntry('0');
    const source = await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    expect(sha256Of(await source.read('model.safetensors'))).toBe(sha256Of(weights));
  });

  test('storage that fails is a coded error; one that does not say how much it holds is believed to hold enough', async () => {
    const broken = {
      getDirectoryHandle: async () => {
        throw new DOMException('the folder is gone', 'InvalidStateError');
      },
    } as unknown as FileSystemDirectoryHandle;
    const silent = {
      estimate: async () => {
        throw new TypeError('opaque origin');
      },
    } as unknown as StorageManager;
    const failing = new OpfsCache(broken, undefined, silent);
    const file: HubFile = { name: 'x', size: 1, etag: '0'.repeat(40), kind: 'git-sha1' };
    for (const call of [failing.begun('a/b', file), failing.state('a/b', 'c', 'x'), failing.commitOf('a/b', 'main')])
      expect((await refusal(call)).code).toBe('hub/cache');
    expect(await failing.freeBytes()).toBeUndefined();
  });

  test('a read that hangs ends with its signal', async () => {
    const source = await openModel('tiny/gpt2', { endpoint: hub.endpoint, cache: cache() });
    disk.beforeRead = () => new Promise(() => undefined);
    const stop = new AbortController();
    const reading = source.read('model.safetensors', 0, 8, stop.signal);
    stop.abort(new Error('enough'));
    await expect(reading).rejects.toThrow('enough');
  });

  test('without storage the model is kept in memory, with a notice', async () => {
    const notices: string[] = [];
    const options = { endpoint: hub.endpoint, onNotice: (text: string) => void notices.push(text) };
    const source = await openModel('tiny/gpt2', options);
    expect(notices).toEqual([expect.stringContaining('no storage')]);
    expect(sha256Of(await source.read('model.safetensors'))).toBe(sha256Of(weights));
    expect((await refusal(source.read('model.safetensors', 1, weights.length + 1))).code).toBe('files/short');
    const before = hub.asked(/resolve/).length;
    await openModel('tiny/gpt2', options);
    expect(hub.asked(/resolve/).length).toBe(before);
  });

  test('a path is for Node', async () => {
    expect((await refusal(openModel('./gpt2', { fetch: noNetwork }))).hint).toContain('@limn/gpt2/node');
  });
});

describe('redirects and tokens', () => {
  /** Answers by address, and notes who was told the token. */
  function net(answers: Record<string, Response>): { fetch: typeof fetch; told: string[] } {
    const told: string[] = [];
    return {
      told,
      fetch: async (input, init) => {
        const url = String(input);
        if (new Headers(init?.headers).has('authorization')) told.push(url);
        return answers[url] ?? new Response('no', { status: 418 });
      },
    };
  }
  const to = (location: string): Response => new Response(null, { status: 302, headers: { location } });
  const ok = (): Response => new Response('{}', { headers: { 'content-type': 'application/json' } });

  test('the token stays with the hub, and comes back with a redirect that does', async () => {
    const { fetch, told } = net({
      'https://hub.example/a': to('https://cdn.example/a'),
      'https://cdn.example/a': to('https://hub.example/b'),
      'https://hub.example/b': to('/c'),
      'https://hub.example/c': ok(),
    });
    const http = new HubHttp({ endpoint: 'https://hub.example', token: 't', fetch });
    await http.ask(new URL('https://hub.example/a'));
    expect(told).toEqual(['https://hub.example/a', 'https://hub.example/b', 'https://hub.example/c']);
  });

  test.each([
    'http://hub.example/a',
    'ftp://hub.example/a',
    'data:text/plain,x',
    'file:///etc/passwd',
    'http://169.254.169.254/',
  ])('https never leads to %s', async (target) => {
    const { fetch, told } = net({ 'https://hub.example/a': to(target), [target]: ok() });
    const http = new HubHttp({ endpoint: 'https://hub.example', token: 't', fetch });
    expect((await refusal(http.ask(new URL('https://hub.example/a')))).code).toBe('hub/redirect');
    expect(told).toEqual(['https://hub.example/a']);
  });

  test('a token goes over plain http to this machine only', async () => {
    for (const [endpoint, count] of [
      ['http://hub.example', 0],
      ['http://127.0.0.1:1', 1],
      ['http://localhost', 1],
      ['http://127.evil.example', 0],
    ] as const) {
      // prettier-ignore
      const { fetch, told } = net({ [`${endpoint}/a`]: ok() });
      await new HubHttp({ endpoint, token: 't', fetch }).ask(new URL('/a', endpoint));
      expect(told.length, endpoint).toBe(count);
    }
  });

  test.each(['huggingface.co', 'file:///x', 'https://user:pw@x', 'https://x?y', ''])(
    '%j is no endpoint',
    async (endpoint) => {
      expect((await refusal(openModel('gpt2', { endpoint, fetch: noNetwork }))).code).toBe('hub/endpoint');
    },
  );
});
