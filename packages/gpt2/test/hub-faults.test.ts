// A hub that misbehaves: whatever it does, a download ends with the right bytes or with a code, keeps nothing wrong, and goes on where it was.
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { open as openFile, type FileHandle } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { ModelFiles } from '../src/index.js';
import { HubHttp, type HubHttpOptions } from '../src/hub/http.js';
import { webDirectory } from '../src/hub/directory.js';
import { libraryDirectory } from '../src/hub/library-directory.js';
import { openSnapshot, type Hub, type SnapshotOptions } from '../src/hub/snapshot.js';
import { FolderCache } from '../src/node.js';
import { modelFiles } from './hub/model.js';
import { cutAfter, listed, sendJson, sha256Of, TestHub, type Fault } from './hub/server.js';
import { rejection } from './rejection.js';

const home = mkdtempSync(path.join(os.tmpdir(), 'limn-faults-'));
const files = modelFiles();
const weights = files.get('model.safetensors') as Uint8Array;
let hub: TestHub;
let cacheDir: string;
let waits: number[];
beforeEach(async () => {
  hub = await TestHub.start(files);
  cacheDir = mkdtempSync(path.join(home, 'cache-'));
  waits = [];
});
afterEach(() => hub.stop());
afterAll(() => rmSync(home, { recursive: true, force: true }));

function open(options: SnapshotOptions & Partial<HubHttpOptions> = {}): Promise<ModelFiles> {
  const http = new HubHttp({
    endpoint: options.endpoint ?? hub.endpoint,
    wait: async (milliseconds) => void waits.push(milliseconds),
    ...options,
  });
  return openSnapshot('tiny/gpt2', 'main', at(http), options);
}

/** The hub as Node reaches it. */
const at = (http: HubHttp, cache = new FolderCache(cacheDir)): Hub => ({ http, directory: libraryDirectory, cache });

const blobs = (): string => path.join(cacheDir, 'models--tiny--gpt2/blobs');
const whole = (): boolean => readdirSync(blobs()).includes(sha256Of(weights));
/** Bytes of the weights that an unfinished download left. */
const partBytes = (): number =>
  (existsSync(blobs()) ? readdirSync(blobs()) : [])
    .filter((name) => name.startsWith(sha256Of(weights)) && name.endsWith('.limn-part'))
    .reduce((sum, name) => sum + statSync(path.join(blobs(), name)).size, 0);

async function expectWhole(source: ModelFiles): Promise<void> {
  expect(sha256Of(await source.read('model.safetensors'))).toBe(sha256Of(weights));
  expect(readdirSync(blobs()).filter((name) => name.includes('part'))).toEqual([]);
}

const contents = /^contents \/model\.safetensors/;
const html: Fault = (_request, response) =>
  void response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end('<html>Sign in</html>');
const status =
  (code: number, headers: Record<string, string> = {}): Fault =>
  (_request, response) =>
    void response.writeHead(code, headers).end('no');

describe('answers that are not the file are refused, and nothing of them is kept', () => {
  const sized = (length: number, bytes = weights): Fault => {
    return (_request, response) =>
      void response.writeHead(200, { 'content-length': length }).end(bytes.slice(0, length));
  };
  const spoilt = weights.slice();
  spoilt[weights.length - 1]! ^= 1;
  test.each<[what: string, code: string, fault: Fault]>([
    ['a web page with status 200', 'hub/not-a-file', html],
    ['fewer bytes, as announced', 'hub/wrong-length', sized(weights.length - 1)],
    ['more bytes, as announced', 'hub/wrong-length', sized(weights.length + 1, Uint8Array.from([...weights, 0]))],
    ['nothing', 'hub/wrong-length', sized(0)],
    [
      'more bytes without a length',
      'hub/wrong-length',
      (_request, response) => {
        response.write(weights);
        response.end(weights);
      },
    ],
    ['one flipped bit', 'hub/wrong-digest', sized(weights.length, spoilt)],
    [
      'compressed rubbish',
      'hub/wrong-digest',
      (_request, response) => {
        const body = gzipSync(spoilt);
        response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
      },
    ],
    [
      'a part that does not say which',
      'hub/wrong-length',
      (_request, response) => void response.writeHead(206).end(weights.slice(0, 9)),
    ],
    [
      'a part of another file',
      'hub/wrong-length',
      (_request, response) => void response.writeHead(206, { 'content-range': 'bytes 0-8/9' }).end(weights.slice(0, 9)),
    ],
    [
      'a later part',
      'hub/wrong-length',
      (_request, response) =>
        void response
          .writeHead(206, { 'content-range': `bytes 5-${weights.length - 1}/${weights.length}` })
          .end(weights.slice(5)),
    ],
    ['a redirect to a file', 'hub/redirect', status(302, { location: 'file:///etc/passwd' })],
    ['a redirect without a target', 'hub/redirect', status(302)],
    ['a redirect to itself', 'hub/redirect', status(307, { location: '/model.safetensors' })],
    ['status 401', 'hub/denied', status(401)],
    ['status 403', 'hub/denied', status(403, { 'x-error-code': 'GatedRepo' })],
    ['status 404', 'hub/not-found', status(404)],
    ['status 416', 'hub/refused', status(416)],
    ['status 418', 'hub/refused', status(418)],
  ])('%s: %s', async (_what, code, fault) => {
    hub.fail(contents, fault);
    const error = await rejection(open());
    expect(error.code).toBe(code);
    expect(error.hint).toBeDefined();
    // A signed address is a secret.
    expect(JSON.stringify(error)).not.toContain('signature');
    expect(whole()).toBe(false);
    expect(readdirSync(path.join(cacheDir, 'models--tiny--gpt2/snapshots', hub.commit))).not.toContain(
      'model.safetensors',
    );
    expect(() => readFileSync(path.join(cacheDir, 'models--tiny--gpt2/refs/main'))).toThrow('ENOENT');
  });

  test('and the next download, from a hub that has recovered, is right', async () => {
    hub.fail(contents, sized(weights.length, spoilt), 1);
    await expectWhole(await open());
    expect(hub.asked(/^\/model\.safetensors/).length).toBe(2);
  });

  test.each<[what: string, code: string, path: RegExp, fault: Fault]>([
    ['a web page for a commit', 'hub/bad-answer', /revision/, html],
    ['a web page for the listing', 'hub/bad-answer', /tree/, html],
    ['no commit', 'hub/bad-answer', /revision/, (_q, response) => sendJson(response, { sha: '../../x' })],
    [
      'a digest that is a path',
      'hub/bad-answer',
      /tree/,
      (_q, response) => sendJson(response, [{ ...listed('config.json', weights), oid: '../../../x' }]),
    ],
    [
      'a negative size',
      'hub/bad-answer',
      /tree/,
      (_q, response) => sendJson(response, [{ ...listed('config.json', weights), size: -1 }]),
    ],
    [
      'no config.json',
      'files/not-found',
      /tree/,
      (_q, response) => sendJson(response, [listed('model.safetensors', weights)]),
    ],
    [
      'only a pickle',
      'weights/no-safetensors',
      /tree/,
      (_q, response) => sendJson(response, [listed('config.json', weights), listed('pytorch_model.bin', weights)]),
    ],
    ['a listing that is no list', 'hub/bad-answer', /tree/, (_q, response) => sendJson(response, { error: 'x' })],
    [
      'ten thousand files and one',
      'hub/bad-answer',
      /tree/,
      (_q, response) =>
        sendJson(
          response,
          Array.from({ length: 10_001 }, (_, i) => listed(`${i}`, new Uint8Array(0))),
        ),
    ],
    ['a listing of nulls', 'hub/bad-answer', /tree/, (_q, response) => sendJson(response, [null])],
    ['an unknown model', 'hub/not-found', /revision/, status(404, { 'x-error-code': 'RepoNotFound' })],
  ])('%s: %s', async (_what, code, where, fault) => {
    hub.fail(where, fault);
    for (const directory of [libraryDirectory, webDirectory]) {
      const found = openSnapshot('tiny/gpt2', 'main', { ...at(new HubHttp({ endpoint: hub.endpoint })), directory });
      expect((await rejection(found)).code).toBe(code);
    }
    expect(hub.asked(/resolve/)).toEqual([]);
  });

  test('a listing goes on at another host without the token', async () => {
    hub.fail(/hub .*tree/, (_request, response) => {
      response.setHeader('link', `<${hub.contentsHost}/api/models/tiny/gpt2/tree/2>; rel="next"`);
      sendJson(response, []);
    });
    hub.fail(/contents .*tree/, (_request, response) =>
      sendJson(
        response,
        [...files].map(([name, bytes]) => listed(name, bytes)),
      ),
    );
    const http = new HubHttp({ endpoint: hub.endpoint, token: 'hf_x' });
    const listings = await Promise.all(
      [libraryDirectory, webDirectory].map((directory) => directory.files(http, 'tiny/gpt2', hub.commit)),
    );
    expect([...(listings[0] as Map<string, unknown>).keys()]).toEqual([...files.keys()]);
    expect(listings[1]).toEqual(listings[0]);
    expect(hub.asked(/tree\/2/).map((seen) => seen.token)).toEqual([undefined, undefined]);
  });
});

describe('busy servers are waited for, as long as they ask for and no longer than is bearable', () => {
  test.each([429, 503])('status %s with Retry-After', async (code) => {
    hub.fail(contents, status(code, { 'retry-after': '7' }), 2);
    await expectWhole(await open());
    expect(waits).toEqual([7000, 7000]);
  });

  test('Retry-After as a date', async () => {
    hub.fail(contents, status(429, { 'retry-after': new Date(Date.now() + 20_000).toUTCString() }), 1);
    await expectWhole(await open());
    expect(waits[0]).toBeGreaterThan(17_000);
    expect(waits[0]).toBeLessThanOrEqual(20_000);
  });

  test('status 429 for an hour is an error at once, with the number', async () => {
    hub.fail(contents, status(429, { 'retry-after': '3600' }));
    const error = await rejection(open());
    expect([error.code, error.details['waitSeconds'], waits]).toEqual(['hub/rate-limited', 3600, []]);
  });

  test('status 503 again and again ends after five attempts, with longer and longer pauses', async () => {
    hub.fail(/revision/, status(503));
    const error = await rejection(open());
    expect([error.code, error.details['attempts'], waits]).toEqual(['hub/unavailable', 5, [500, 1000, 2000, 4000]]);
  });

  test('a server that is not there', async () => {
    const endpoint = hub.endpoint;
    await hub.stop();
    const error = await rejection(open({ endpoint }));
    expect([error.code, waits.length]).toEqual(['hub/unreachable', 4]);
    expect(error.message).toContain('ECONNREFUSED');
  });
});

describe('broken connections', () => {
  test('are taken up where they broke, and no byte comes twice', async () => {
    const step = Math.ceil(weights.length / 4);
    hub.fail(contents, cutAfter(hub, 'model.safetensors', step), 3);
    const progress: number[] = [];
    await expectWhole(
      await open({ onProgress: ({ file, done }) => void (file === 'model.safetensors' && progress.push(done)) }),
    );
    const ranges = hub.asked(/^\/model\.safetensors/).map(({ range }) => range);
    expect(ranges).toEqual([undefined, `bytes=${step}-`, `bytes=${2 * step}-`, `bytes=${3 * step}-`]);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
  });

  test('a server without ranges: what is here already is passed over', async () => {
    hub.fail(contents, cutAfter(hub, 'model.safetensors', 500_000), 1);
    hub.fail(
      contents,
      (_request, response) => void response.writeHead(200, { 'content-length': weights.length }).end(weights),
    );
    await expectWhole(await open());
    expect(hub.asked(/^\/model\.safetensors/).map(({ range }) => range)).toEqual([undefined, 'bytes=500000-']);
  });

  test('compressed whole files are unpacked', async () => {
    const body = gzipSync(weights);
    hub.fail(contents, (_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': body.length }).end(body);
    });
    await expectWhole(await open());
  });

  test('that lead nowhere end with a code; what came is kept, and the next run goes on from there', async () => {
    hub.fail(contents, cutAfter(hub, 'model.safetensors', 1000), 5);
    const error = await rejection(open());
    expect([error.code, error.details['held'], partBytes(), whole()]).toEqual(['hub/cut-off', 5000, 5000, false]);
    const before = hub.seen.length;
    await expectWhole(await open());
    expect(hub.seen.slice(before).at(-1)).toMatchObject({ path: '/model.safetensors', range: 'bytes=5000-' });
  });

  test('a connection that falls silent counts as broken', async () => {
    hub.fail(
      contents,
      (_request, response) => {
        response.writeHead(200, { 'content-length': weights.length });
        response.write(weights.subarray(0, 300_000));
      },
      1,
    );
    await expectWhole(await open({ silence: 700 }));
    expect(hub.asked(/^\/model\.safetensors/)[1]?.range).toBe('bytes=300000-');
    hub.fail(/revision/, () => undefined);
    cacheDir = mkdtempSync(path.join(home, 'cache-'));
    expect((await rejection(open({ silence: 100 }))).code).toBe('hub/unreachable');
  });

  test('what an earlier run left is checked: a part with other bytes is thrown away', async () => {
    hub.fail(contents, cutAfter(hub, 'model.safetensors', 1000), 5);
    await rejection(open());
    const [part] = readdirSync(blobs()).filter((name) => name.endsWith('.limn-part')) as [string];
    writeFileSync(path.join(blobs(), part), new Uint8Array(5000).fill(7));
    await expectWhole(await open());
    expect(
      hub
        .asked(/^\/model\.safetensors/)
        .slice(-2)
        .map(({ range }) => range),
    ).toEqual(['bytes=5000-', undefined]);
    writeFileSync(path.join(blobs(), `${sha256Of(weights)}.0.limn-part`), new Uint8Array(weights.length + 5));
    rmSync(path.join(blobs(), sha256Of(weights)));
    await expectWhole(await open());
  });
});

test('a network that fails at request n, once or from then on: the model, or a code and a part to go on from', async () => {
  for (let n = 1; n <= 8; n++) {
    // For good at every other request: what happens afterwards is the same.
    for (const times of n % 2 ? [1, Infinity] : [1]) {
      cacheDir = mkdtempSync(path.join(home, 'failing-'));
      let asked = 0;
      const fetcher: typeof fetch = async (input, init) => {
        asked++;
        if (asked >= n && asked < n + times) throw new TypeError('network error');
        return fetch(input, init);
      };
      const outcome = open({ fetch: fetcher });
      // A model takes seven requests: commit, listing, three small files, and the weights behind a redirect.
      if (times === 1 || n > 7) await expectWhole(await outcome);
      else {
        expect((await rejection(outcome)).code).toBe('hub/unreachable');
        await expectWhole(await open());
      }
    }
  }
});

describe('stopping', () => {
  test('an abort in the middle rejects with its reason, keeps what came, and the next run goes on from there', async () => {
    hub.fail(
      contents,
      (_request, response) => {
        response.writeHead(200, { 'content-length': weights.length });
        response.write(weights.subarray(0, 400_000));
      },
      1,
    );
    const stop = new AbortController();
    const running = open({
      signal: stop.signal,
      onProgress: ({ file }) =>
        void (file === 'model.safetensors' && partBytes() >= 400_000 && stop.abort(new Error('enough'))),
    });
    await expect(running).rejects.toThrow('enough');
    expect([partBytes(), whole()]).toEqual([400_000, false]);
    await expectWhole(await open());
    expect(hub.seen.at(-1)?.range).toBe('bytes=400000-');
  });

  test('an abort at every request, and while waiting, rejects with its reason', async () => {
    for (let n = 1; n <= 8; n++) {
      const stop = new AbortController();
      const fetcher: typeof fetch = async (input, init) => {
        if (--left === 0) stop.abort(new Error('enough'));
        return fetch(input, init);
      };
      let left = n;
      const dir = mkdtempSync(path.join(home, 'abort-'));
      const http = new HubHttp({ endpoint: hub.endpoint, fetch: fetcher, signal: stop.signal });
      const outcome = openSnapshot('tiny/gpt2', 'main', at(http, new FolderCache(dir)), { signal: stop.signal });
      if (n <= 7) await expect(outcome).rejects.toThrow('enough');
      else await outcome;
    }
    hub.fail(/revision/, status(503, { 'retry-after': '60' }));
    const stop = new AbortController();
    setTimeout(() => stop.abort(new Error('enough')), 50);
    const http = new HubHttp({ endpoint: hub.endpoint, signal: stop.signal });
    await expect(openSnapshot('tiny/gpt2', 'main', at(http))).rejects.toThrow('enough');
  });
});

describe('the disk', () => {
  test('too little room is refused before anything is downloaded, with the numbers', async () => {
    class SmallCache extends FolderCache {
      override async freeBytes(): Promise<number> {
        return 1000;
      }
    }
    const http = new HubHttp({ endpoint: hub.endpoint });
    const error = await rejection(openSnapshot('tiny/gpt2', 'main', at(http, new SmallCache(cacheDir))));
    expect([error.code, error.details['needed'], error.details['free']]).toEqual([
      'hub/disk-space',
      weights.length,
      1000,
    ]);
    expect(hub.asked(/^\/model\.safetensors/)).toEqual([]);
  });

  test('a disk that fills up at write n, n = 1 … 8, is a coded error, leaves no part, and the next run completes', async () => {
    const handle = await openFile(path.join(home, 'any'), 'w');
    const files = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    for (let n = 1; n <= 8; n++) {
      cacheDir = mkdtempSync(path.join(home, 'full-'));
      const { write } = files;
      let left = n;
      const failing = vi.spyOn(files, 'write').mockImplementation(function (this: FileHandle, ...given: unknown[]) {
        if (--left === 0)
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 });
        return Reflect.apply(write, this, given) as never;
      });
      const error = await rejection(open()).finally(() => failing.mockRestore());
      expect([error.code, error.details['reason']]).toEqual(['hub/disk-space', 'ENOSPC']);
      expect(readdirSync(blobs()).filter((name) => name.endsWith('.limn-part'))).toEqual([]);
      await expectWhole(await open());
    }
  });

  test('a cache that cannot be written is a coded error', async () => {
    const file = path.join(home, 'a-file');
    writeFileSync(file, '');
    const http = new HubHttp({ endpoint: hub.endpoint });
    const error = await rejection(
      openSnapshot('tiny/gpt2', 'main', at(http, new FolderCache(path.join(file, 'cache')))),
    );
    expect([error.code, error.details['reason']]).toEqual(['hub/cache', 'ENOTDIR']);
  });
});

describe('two processes', () => {
  const child = (): { done: Promise<{ code: number | null; output: string }>; kill: () => void } => {
    const run = spawn(
      process.execPath,
      [
        '--conditions=limn-source',
        '--import',
        'tsx',
        path.join(import.meta.dirname, 'hub/child.mts'),
        hub.endpoint,
        cacheDir,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    run.stdout.on('data', (data) => (output += data));
    return {
      done: new Promise((resolve) => run.on('close', (code) => resolve({ code, output }))),
      kill: () => void run.kill('SIGKILL'),
    };
  };

  test('on one cache download every file once, and both get all of it', async () => {
    // Slow enough that both want the weights at the same time.
    hub.fail(contents, (_request, _response, serve) => void setTimeout(serve, 1500));
    const outcomes = await Promise.all([child().done, child().done]);
    for (const { code, output } of outcomes) {
      expect(code).toBe(0);
      expect(JSON.parse(output)).toEqual(['config.json', 'merges.txt', 'model.safetensors', 'vocab.json']);
    }
    expect(hub.asked(/^\/model\.safetensors/).length).toBe(1);
    await expectWhole(await open());
    expect(readdirSync(path.join(cacheDir, '.locks/models--tiny--gpt2'))).toEqual([]);
  });

  test('of which one takes the other for dead and its part away: both end with the model', async () => {
    let taken = 0;
    const source = await open({
      onProgress: ({ file }) => {
        if (file !== 'model.safetensors' || taken > 1) return;
        const [part] = readdirSync(blobs()).filter((name) => name.endsWith('.limn-part')) as [string];
        renameSync(path.join(blobs(), part), path.join(blobs(), `${sha256Of(weights)}.other${taken++}.limn-part`));
      },
    });
    await expectWhole(source);
    expect(taken).toBe(2);
  });

  test('one that is killed in the middle leaves a part and a lock, and neither is in the way', async () => {
    hub.fail(
      contents,
      (_request, response) => {
        response.writeHead(200, { 'content-length': weights.length });
        response.write(weights.subarray(0, 600_000));
      },
      1,
    );
    const first = child();
    const watch = setInterval(() => void (partBytes() > 0 && first.kill()), 50);
    expect((await first.done).code).toBeNull();
    clearInterval(watch);
    const left = partBytes();
    expect(left).toBeGreaterThan(0);
    expect(readdirSync(path.join(cacheDir, '.locks/models--tiny--gpt2')).length).toBe(1);
    await expectWhole(await open());
    expect(hub.seen.at(-1)?.range).toBe(`bytes=${left}-`);
  });
});
