// A folder by address: what it holds is found out by asking, and a server that answers with something else is not believed.
import { refusal } from '@limn/testing';
import { expect, test } from 'vitest';
import { fetchFiles, openModel, planLoad } from '../src/index.js';
import { modelFiles } from './hub/model.js';

const files = modelFiles();
const weights = files.get('model.safetensors') as Uint8Array;

type Answer = (name: string, init: RequestInit | undefined) => Response | undefined;
const serve =
  (answer: Answer): typeof fetch =>
  async (input, init) => {
    const name = String(input).split('/').at(-1) as string;
    const special = answer(name, init);
    if (special) return special;
    const bytes = files.get(name);
    if (!bytes) return new Response(null, { status: 404 });
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
    const headers = { 'content-length': String(bytes.length) };
    if (init?.method === 'HEAD') return new Response(null, { headers });
    if (from === undefined) return new Response(bytes.slice(), { headers });
    const contentRange = `bytes ${from}-${Math.min(Number(to), bytes.length - 1)}/${bytes.length}`;
    return new Response(bytes.slice(Number(from), Number(to) + 1), {
      status: 206,
      headers: { 'content-range': contentRange },
    });
  };
const base = 'https://models.example/tiny/';
const wanted = ['config.json', 'model.safetensors', 'vocab.json', 'merges.txt'];

test('which files there are is found out by asking', async () => {
  const source = await openModel(base, { fetch: serve(() => undefined) });
  expect(await source.list()).toEqual(wanted);
  // A site of one page answers everything with that page.
  const page = serve((name) =>
    files.has(name) ? undefined : new Response('<html>', { headers: { 'content-type': 'text/html' } }),
  );
  expect(await (await openModel(new URL(base), { fetch: page })).list()).toEqual(wanted);
  const down = openModel(base, { fetch: serve(() => new Response(null, { status: 500 })) });
  expect((await refusal(down)).details['status']).toBe(500);
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  const signalled: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted();
    return fetch(input, init);
  };
  await expect(openModel(base, { fetch: signalled, signal: stop.signal })).rejects.toThrow('enough');
});

test('a store that may not be listed answers 403 for what it lacks: an optional file is absent, a needed one is named with both reasons', async () => {
  /** As a bucket that anybody may read and nobody may list. */
  const bucket = (held: (name: string) => boolean): typeof fetch =>
    serve((name) => (files.has(name) && held(name) ? undefined : new Response('AccessDenied', { status: 403 })));
  const source = await openModel(base, { fetch: bucket(() => true) });
  expect(await source.list()).toEqual(wanted);
  expect((await planLoad(source)).tied).toBe(true);
  for (const lacking of ['config.json', 'model.safetensors']) {
    const error = await refusal(openModel(base, { fetch: bucket((name) => name !== lacking) }));
    expect([error.code, error.details['status'], error.details['name']]).toEqual(['files/not-found', 403, lacking]);
    expect(error.message).toMatch(/is not there, or it may not be read/);
    const missing = await refusal(
      openModel(base, { fetch: serve((name) => (name === lacking ? new Response(null, { status: 410 }) : undefined)) }),
    );
    expect([missing.code, missing.details['name']]).toEqual(['files/not-found', lacking]);
    expect(missing.hint).toContain('vocab.json');
  }
});

test('a server that knows no HEAD tells the size with a part', async () => {
  const noHead = serve((_name, init) => (init?.method === 'HEAD' ? new Response(null, { status: 405 }) : undefined));
  const source = await openModel(base, { fetch: noHead });
  expect(await source.list()).toEqual(wanted);
  expect(await source.size('model.safetensors')).toBe(weights.length);
});

test.each<[changed: boolean, what: string, first: Record<string, string>, then: Record<string, string>]>([
  [true, 'a later time', { 'last-modified': 'Mon, 02 Jan 2023' }, { 'last-modified': 'Tue, 03 Jan 2023' }],
  [true, 'another tag', { etag: '"a"' }, { etag: '"b"' }],
  [true, 'another size', {}, { 'content-range': `bytes 0-7/${weights.length + 1}` }],
  [false, 'the tag of another machine', { etag: '"a"', 'last-modified': 'x' }, { etag: '"b"', 'last-modified': 'x' }],
  [false, 'the tag of compressed contents', { etag: 'W/"a-gzip"' }, { etag: '"a"' }],
  [false, 'no tag', { etag: '"a"' }, {}],
])('a file that is replaced while it is read: %s for %s', async (changed, _what, first, then) => {
  let asked = 0;
  const versions = serve(() => {
    const range = `bytes 0-${asked === 0 ? 0 : 7}/${weights.length}`;
    const headers = { 'content-range': range, ...(asked++ === 0 ? first : then) };
    return new Response(weights.slice(0, 8), { status: 206, headers });
  });
  const source = fetchFiles(base, wanted, versions);
  expect(await source.size('model.safetensors')).toBe(weights.length);
  const reading = source.read('model.safetensors', 0, 8);
  if (changed) expect((await refusal(reading)).code).toBe('files/changed');
  else expect(await reading).toEqual(weights.slice(0, 8));
});

test('a query goes with every request and into no message, a password into none of both', async () => {
  const asked: string[] = [];
  const signed: typeof fetch = async (input, init) => {
    asked.push(String(input));
    return serve(() => undefined)(new URL(String(input)).pathname, init);
  };
  const source = await openModel('https://models.example/tiny?signature=secret', { fetch: signed });
  expect(source.label).toBe('https://models.example/tiny');
  await source.read('config.json', 0, 8);
  expect(asked.at(-1)).toBe('https://models.example/tiny/config.json?signature=secret');
  const error = await refusal(source.read('absent'));
  expect(JSON.stringify([error, error.message, error.hint])).not.toContain('secret');
  const withPassword = await refusal(openModel('https://me:secret@models.example/', { fetch: signed }));
  expect([withPassword.code, withPassword.message.includes('secret')]).toEqual(['files/bad-address', false]);
  expect((await refusal(openModel('https://', { fetch: signed }))).code).toBe('hub/bad-id');
});

test('a body without an end is not taken into memory', async () => {
  let sent = 0;
  const endless = serve((_name, init) => {
    if (init?.method === 'HEAD') return undefined;
    const body = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        sent += 2 ** 16;
        controller.enqueue(new Uint8Array(2 ** 16));
      },
    });
    return new Response(body, ranged(init) ? { status: 206 } : {});
  });
  const source = fetchFiles(base, wanted, endless);
  expect((await refusal(source.read('model.safetensors', 0, 8))).code).toBe('files/short');
  const { length } = files.get('config.json') as Uint8Array;
  expect(await source.size('config.json')).toBe(length);
  const other = await refusal(source.read('config.json'));
  expect([other.code, other.details['stated'], other.details['sent']]).toEqual(['files/fetch', length, 2 ** 16]);
  expect(other.message).toContain(`has ${length} bytes (HEAD), but sends more than ${length} (GET)`);
  expect(sent).toBeLessThan(2 ** 20);
});

test('a config without a stated length or an end: files/too-large at its bound, and the server is asked for no more', async () => {
  let [sent, ended] = [0, 0];
  const piece = 2 ** 20;
  const endless = serve((name, init) => {
    if (name !== 'config.json') return undefined;
    if (init?.method === 'HEAD') return new Response(null);
    const body = new ReadableStream<Uint8Array>(
      {
        pull: (controller) => {
          sent += piece;
          controller.enqueue(new Uint8Array(piece).fill(32));
        },
        cancel: () => void ended++,
      },
      { highWaterMark: 0 },
    );
    return new Response(body);
  });
  const source = await openModel(base, { fetch: endless });
  expect(await source.list()).toEqual(wanted);
  const error = await refusal(planLoad(source));
  expect([error.code, error.details['name']]).toEqual(['files/too-large', 'config.json']);
  expect(sent).toBe(2 ** 24 + piece);
  expect(ended).toBe(1);
  const stop = new AbortController();
  expect((await refusal(planLoad(source, { signal: stop.signal }))).code).toBe('files/too-large');
  expect(sent).toBe(2 * (2 ** 24 + piece));
});

test.each<[what: string, head: string | undefined]>([
  ['0', '0'],
  ['five too many', String(weights.length + 5)],
  ['none', undefined],
])('HEAD says a wrong length, %s: those of GET count', async (_what, head) => {
  const liar = serve((_name, init) =>
    init?.method === 'HEAD'
      ? new Response(null, head === undefined ? {} : { headers: { 'content-length': head } })
      : undefined,
  );
  const source = await openModel(base, { fetch: liar });
  expect((await planLoad(source)).tied).toBe(true);
  expect(await source.size('model.safetensors')).toBe(weights.length);
  const without = serve((name) => {
    const held = files.get(name);
    return held && new Response(held.slice(), { headers: { 'content-length': String(held.length) } });
  });
  const plain: typeof fetch = async (input, init) => (init?.method === 'HEAD' ? liar : without)(input, init);
  expect((await planLoad(await openModel(base, { fetch: plain }))).tied).toBe(true);
});

test('GET states no length: a short body is told from what HEAD said, an empty file from none, and two of GET from each other', async () => {
  const chunked = (bytes: Uint8Array<ArrayBuffer>): typeof fetch =>
    serve((_name, init) => (init?.method === 'HEAD' ? undefined : new Response(bytes)));
  const short = fetchFiles(base, wanted, chunked(weights.slice(0, 100)));
  expect(await short.size('model.safetensors')).toBe(weights.length);
  const error = await refusal(short.read('model.safetensors', 0, 8));
  expect([error.code, error.details['stated'], error.details['sent']]).toEqual(['files/fetch', weights.length, 100]);
  const empty = serve((_name, init) =>
    init?.method === 'HEAD'
      ? new Response(null, { headers: { 'content-length': '0' } })
      : new Response(null, { status: 416 }),
  );
  expect(await fetchFiles(base, wanted, empty).size('config.json')).toBe(0);
  let asked = 0;
  const grown = serve(
    () => new Response('x'.repeat(10), { headers: { 'content-length': asked++ === 0 ? '9' : '10' } }),
  );
  const source = fetchFiles(base, wanted, grown);
  expect(await source.size('config.json')).toBe(9);
  expect((await refusal(source.read('config.json'))).code).toBe('files/changed');
});

const ranged = (init: RequestInit | undefined): boolean => new Headers(init?.headers).has('range');
test.each<[what: string, code: string, answer: Answer]>([
  [
    'a web page',
    'files/fetch',
    (_n, init) => (ranged(init) ? new Response('<', { headers: { 'content-type': 'text/html' } }) : undefined),
  ],
  [
    'another part',
    'files/fetch',
    (_n, init) =>
      ranged(init)
        ? new Response('12345678', { status: 206, headers: { 'content-range': 'bytes 1-8/99' } })
        : undefined,
  ],
  [
    'a compressed part',
    'files/fetch',
    (_n, init) =>
      ranged(init)
        ? new Response('12345678', {
            status: 206,
            headers: { 'content-range': `bytes 0-7/${weights.length}`, 'content-encoding': 'gzip' },
          })
        : undefined,
  ],
  [
    'a short part',
    'files/short',
    (_n, init) =>
      ranged(init)
        ? new Response('1234', { status: 206, headers: { 'content-range': `bytes 0-7/${weights.length}` } })
        : undefined,
  ],
  ['a long part', 'files/short', (_n, init) => (ranged(init) ? new Response('123456789', { status: 206 }) : undefined)],
  ['a short whole', 'files/short', (_n, init) => (ranged(init) ? new Response('1234') : undefined)],
  ['status 503', 'files/fetch', (_n, init) => (ranged(init) ? new Response('', { status: 503 }) : undefined)],
  [
    'nothing',
    'files/fetch',
    () => {
      throw new TypeError('network error');
    },
  ],
])('%s for a part of a file: %s', async (_what, code, answer) => {
  const source = fetchFiles(base, wanted, serve(answer));
  expect((await refusal(source.read('model.safetensors', 0, 8))).code).toBe(code);
});

test('a server without ranges is asked once per file; one that compresses tells the size with a part', async () => {
  let whole = 0;
  const plain = serve((name, init) => {
    if (!ranged(init)) return undefined;
    whole++;
    return new Response((files.get(name) as Uint8Array<ArrayBuffer>).slice());
  });
  const source = fetchFiles(base, wanted, plain);
  for (let at = 0; at < 40; at += 8)
    expect(await source.read('model.safetensors', at, at + 8)).toEqual(weights.slice(at, at + 8));
  expect(whole).toBe(1);
  const squeezed = serve((_name, init) =>
    init?.method === 'HEAD'
      ? new Response(null, { headers: { 'content-encoding': 'br', 'content-length': '9' } })
      : undefined,
  );
  expect(await fetchFiles(base, wanted, squeezed).size('model.safetensors')).toBe(weights.length);
});
