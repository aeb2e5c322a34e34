// Connections that break, networks that fail, aborts and full disks: what came is kept, and the next run goes on where this one ended.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { open as openFile, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { refusal } from '@limn/testing';
import { describe, expect, test, vi } from 'vitest';
import { HubHttp } from '../src/hub/http.js';
import { openSnapshot } from '../src/hub/snapshot.js';
import type { ModelFiles } from '../src/index.js';
import { FolderCache } from '../src/node.js';
import { modelFiles } from './hub/model.js';
import { cutAfter, sha256Of, TestHub } from './hub/server.js';
import { contents, status, useHub, weights, weightsPath } from './hub/use-hub.js';

const here = useHub();

describe('broken connections', () => {
  test('are taken up where they broke, and no byte comes twice', async () => {
    const step = Math.ceil(weights.length / 4);
    here.hub.fail(contents, cutAfter(here.hub, 'model.safetensors', step), 3);
    const progress: number[] = [];
    await here.expectWhole(
      await here.open({ onProgress: ({ file, done }) => void (file === 'model.safetensors' && progress.push(done)) }),
    );
    const ranges = here.hub.asked(weightsPath).map(({ range }) => range);
    expect(ranges).toEqual([undefined, `bytes=${step}-`, `bytes=${2 * step}-`, `bytes=${3 * step}-`]);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  test('a server without ranges: what is here already is passed over', async () => {
    here.hub.fail(contents, cutAfter(here.hub, 'model.safetensors', 500_000), 1);
    here.hub.fail(
      contents,
      (_request, response) => void response.writeHead(200, { 'content-length': weights.length }).end(weights),
    );
    await here.expectWhole(await here.open());
    expect(here.hub.asked(weightsPath).map(({ range }) => range)).toEqual([undefined, 'bytes=500000-']);
  });

  test('compressed whole files are unpacked', async () => {
    const body = gzipSync(weights);
    here.hub.fail(contents, (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
    });
    await here.expectWhole(await here.open());
  });

  test('a compressed part is not taken for a part of the contents: all of it is asked for again', async () => {
    here.hub.fail(contents, cutAfter(here.hub, 'model.safetensors', 500_000), 1);
    here.hub.fail(
      contents,
      (_request, response) => {
        const body = gzipSync(weights.subarray(500_000));
        const range = `bytes 500000-${weights.length - 1}/${weights.length}`;
        response.writeHead(206, { 'content-encoding': 'gzip', 'content-range': range }).end(body);
      },
      1,
    );
    await here.expectWhole(await here.open());
    const ranges = here.hub.asked(weightsPath).map(({ range }) => range);
    expect(ranges).toEqual([undefined, 'bytes=500000-', undefined]);
  });

  test('that lead nowhere end with a code; what came is kept, and the next run goes on from there', async () => {
    here.hub.fail(contents, cutAfter(here.hub, 'model.safetensors', 1000), 5);
    const error = await refusal(here.open());
    expect([error.code, error.details['held'], here.partBytes(), here.whole()]).toEqual([
      'hub/cut-off',
      5000,
      5000,
      false,
    ]);
    const before = here.hub.seen.length;
    await here.expectWhole(await here.open());
    expect(here.hub.seen.slice(before).at(-1)).toMatchObject({ path: '/model.safetensors', range: 'bytes=5000-' });
  });

  test('a connection that falls silent counts as broken', async () => {
    here.hub.fail(
      contents,
      (_request, response) => {
        response.writeHead(200, { 'content-length': weights.length });
        response.write(weights.subarray(0, 300_000));
      },
      1,
    );
    await here.expectWhole(await here.open({ silence: 700 }));
    expect(here.hub.asked(weightsPath)[1]?.range).toBe('bytes=300000-');
    here.hub.fail(/revision/, () => undefined);
    here.cacheDir = mkdtempSync(path.join(here.home, 'cache-'));
    expect((await refusal(here.open({ silence: 100 }))).code).toBe('hub/unreachable');
  });

  test('what an earlier run left is checked: a part with other bytes is thrown away', async () => {
    here.hub.fail(contents, cutAfter(here.hub, 'model.safetensors', 1000), 5);
    await refusal(here.open());
    const [part] = readdirSync(here.blobs()).filter((name) => name.endsWith('.limn-part')) as [string];
    writeFileSync(path.join(here.blobs(), part), new Uint8Array(5000).fill(7));
    await here.expectWhole(await here.open());
    expect(
      here.hub
        .asked(weightsPath)
        .slice(-2)
        .map(({ range }) => range),
    ).toEqual(['bytes=5000-', undefined]);
    writeFileSync(path.join(here.blobs(), `${sha256Of(weights)}.0.limn-part`), new Uint8Array(weights.length + 5));
    rmSync(path.join(here.blobs(), sha256Of(weights)));
    await here.expectWhole(await here.open());
  });
});

test('a network that fails at request n, once or from then on: the model, or a code and a part to go on from', async () => {
  for (let n = 1; n <= 8; n++) {
    // For good at every other request: what happens afterwards is the same.
    for (const times of n % 2 ? [1, Infinity] : [1]) {
      here.cacheDir = mkdtempSync(path.join(here.home, 'failing-'));
      let asked = 0;
      const fetcher: typeof fetch = async (input, init) => {
        asked++;
        if (asked >= n && asked < n + times) throw new TypeError('network error');
        return fetch(input, init);
      };
      const outcome = here.open({ fetch: fetcher });
      // A model takes seven requests: commit, listing, three small files, and the weights behind a redirect.
      if (times === 1 || n > 7) await here.expectWhole(await outcome);
      else {
        expect((await refusal(outcome)).code).toBe('hub/unreachable');
        await here.expectWhole(await here.open());
      }
    }
  }
});

describe('stopping', () => {
  test('an abort in the middle rejects with its reason, keeps what came, and the next run goes on from there', async () => {
    here.hub.fail(
      contents,
      (_request, response) => {
        response.writeHead(200, { 'content-length': weights.length });
        response.write(weights.subarray(0, 400_000));
      },
      1,
    );
    const stop = new AbortController();
    const running = here.open({
      signal: stop.signal,
      onProgress: ({ file }) =>
        void (file === 'model.safetensors' && here.partBytes() >= 400_000 && stop.abort(new Error('enough'))),
    });
    await expect(running).rejects.toThrow('enough');
    expect([here.partBytes(), here.whole()]).toEqual([400_000, false]);
    await here.expectWhole(await here.open());
    expect(here.hub.seen.at(-1)?.range).toBe('bytes=400000-');
  });

  test('an abort at every request, and while waiting, rejects with its reason', async () => {
    for (let n = 1; n <= 8; n++) {
      const stop = new AbortController();
      const fetcher: typeof fetch = async (input, init) => {
        if (--left === 0) stop.abort(new Error('enough'));
        return fetch(input, init);
      };
      let left = n;
      const dir = mkdtempSync(path.join(here.home, 'abort-'));
      const http = new HubHttp({ endpoint: here.hub.endpoint, fetch: fetcher, signal: stop.signal });
      const outcome = openSnapshot('tiny/gpt2', 'main', here.at(http, new FolderCache(dir)), { signal: stop.signal });
      if (n <= 7) await expect(outcome).rejects.toThrow('enough');
      else await outcome;
    }
    const deaf: typeof fetch = () => new Promise(() => undefined);
    const late = new AbortController();
    setTimeout(() => late.abort(new Error('enough')), 20);
    const hanging = new HubHttp({ endpoint: here.hub.endpoint, fetch: deaf, signal: late.signal });
    await expect(openSnapshot('tiny/gpt2', 'main', here.at(hanging))).rejects.toThrow('enough');
    const silent = new HubHttp({ endpoint: here.hub.endpoint, fetch: deaf, silence: 10, attempts: 2 });
    expect((await refusal(openSnapshot('tiny/gpt2', 'main', here.at(silent)))).code).toBe('hub/unreachable');
    here.hub.fail(/revision/, status(503, { 'retry-after': '60' }));
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 50);
    const http = new HubHttp({ endpoint: here.hub.endpoint, signal: stop.signal });
    await expect(openSnapshot('tiny/gpt2', 'main', here.at(http))).rejects.toThrow('enough');
  });
});

describe('the disk', () => {
  class SmallCache extends FolderCache {
    override async freeBytes(): Promise<number> {
      return 1000;
    }
  }

  test.each([false, true])(
    'room for all of it is asked for once, before the first byte (shards: %s)',
    async (shards) => {
      const held = modelFiles({ shards });
      const hub = await TestHub.start(held);
      const http = new HubHttp({ endpoint: hub.endpoint });
      const error = await refusal(openSnapshot('tiny/gpt2', 'main', here.at(http, new SmallCache(here.cacheDir))));
      const needed = [...held]
        .filter(([name]) => !/README|pytorch/.test(name))
        .reduce((sum, [, { length }]) => sum + length, 0);
      expect([error.code, error.details['needed'], error.details['free']]).toEqual(['hub/disk-space', needed, 1000]);
      expect(hub.asked(/resolve|safetensors/)).toEqual([]);
      expect(readdirSync(here.cacheDir)).toEqual([]);
      await hub.stop();
    },
  );

  test('shards of unusual names are counted when their index is here', async () => {
    const held = modelFiles({ shards: true });
    const index = 'model.safetensors.index.json';
    held.set(
      index,
      new TextEncoder().encode(new TextDecoder().decode(held.get(index)).replaceAll('model-0', 'part-0')),
    );
    for (const name of [...held.keys()].filter((name) => name.startsWith('model-0'))) {
      held.set(name.replace('model-0', 'part-0'), held.get(name) as Uint8Array);
      held.delete(name);
    }
    const hub = await TestHub.start(held);
    const progress: number[] = [];
    const options = { onProgress: ({ total }: { total: number }) => void progress.push(total) };
    const open = (cache: FolderCache): Promise<ModelFiles> =>
      openSnapshot('tiny/gpt2', 'main', here.at(new HubHttp({ endpoint: hub.endpoint }), cache), options);
    class Small extends FolderCache {
      override async freeBytes(): Promise<number> {
        return 100_000;
      }
    }
    expect((await refusal(open(new Small(here.cacheDir)))).code).toBe('hub/disk-space');
    expect(hub.asked(/part-0/)).toEqual([]);
    expect(await (await open(new FolderCache(here.cacheDir))).list()).toContain('part-00001-of-00002.safetensors');
    expect(progress.at(-1)).toBeGreaterThan(weights.length);
    await hub.stop();
  });

  test('a disk that does not say how much it holds is believed to hold enough', async () => {
    expect(await new FolderCache('/proc/self/limn').freeBytes()).toBeUndefined();
    expect(await new FolderCache(here.cacheDir).freeBytes()).toBeGreaterThan(0);
  });

  test('what an earlier run left cannot be looked at: a coded error', async () => {
    const blobs = here.blobs();
    mkdirSync(path.dirname(blobs), { recursive: true });
    symlinkSync('blobs', blobs);
    const file = { name: 'x', size: 1, etag: '0'.repeat(64), kind: 'sha256' } as const;
    const error = await refusal(new FolderCache(here.cacheDir).begun('tiny/gpt2', file));
    expect([error.code, error.details['reason']]).toEqual(['hub/cache', 'ELOOP']);
  });

  test('a disk that fills up at write n, n = 1 … 8, is a coded error, leaves no part, and the next run completes', async () => {
    const handle = await openFile(path.join(here.home, 'any'), 'w');
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    for (let n = 1; n <= 8; n++) {
      here.cacheDir = mkdtempSync(path.join(here.home, 'full-'));
      const { write } = prototype;
      let left = n;
      const failing = vi.spyOn(prototype, 'write').mockImplementation(function (this: FileHandle, ...given: unknown[]) {
        if (--left === 0)
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 });
        return Reflect.apply(write, this, given) as never;
      });
      const error = await refusal(here.open()).finally(() => failing.mockRestore());
      expect([error.code, error.details['reason']]).toEqual(['hub/disk-space', 'ENOSPC']);
      expect(readdirSync(here.blobs()).filter((name) => name.endsWith('.limn-part'))).toEqual([]);
      await here.expectWhole(await here.open());
    }
  });

  test('a cache that cannot be written is a coded error', async () => {
    const file = path.join(here.home, 'a-file');
    writeFileSync(file, '');
    const http = new HubHttp({ endpoint: here.hub.endpoint });
    const error = await refusal(
      openSnapshot('tiny/gpt2', 'main', here.at(http, new FolderCache(path.join(file, 'cache')))),
    );
    expect([error.code, error.details['reason']]).toEqual(['hub/cache', 'ENOTDIR']);
  });
});
