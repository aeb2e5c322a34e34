// The network fails at the n-th request or piece of a body while a model is loaded: the right model or a coded error, nothing left open.
import type { Gpu } from '@limn/gpu';
import { FaultyFetch, recordResult, testGpu, type FetchFault } from '@limn/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { fetchFiles, loadGpt2, memoryFiles, openModel, type WritableFiles } from '../src/index.js';
import { writeModel } from './faults/job.js';
import { outcomeOf, Tally } from './faults/sweep.js';

const long = process.env['LIMN_LONG'] === '1';
const names = ['config.json', 'model.safetensors'];
/** A server that answers ranges does not hold back a test for long. */
const silence = 60;
let files: WritableFiles;
let gpu: Gpu;
let print: string;

/** Serves the files; without ranges it always sends whole ones, in pieces of 4 KiB. */
const server =
  (ranges: boolean): typeof fetch =>
  async (input, init) => {
    const name = new URL(String(input)).pathname.slice(1);
    if (!names.includes(name)) return new Response('no', { status: 404 });
    const whole = await files.read(name);
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(new Headers(init?.headers).get('range') ?? '') ?? [];
    const cut = ranges && from !== undefined;
    const bytes = cut ? whole.subarray(Number(from), Number(to) + 1) : whole;
    const headers: Record<string, string> = { 'content-length': String(bytes.length) };
    if (cut) headers['content-range'] = `bytes ${from}-${Number(from) + bytes.length - 1}/${whole.length}`;
    if (init?.method === 'HEAD') return new Response(null, { headers });
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += 4096) controller.enqueue(bytes.slice(at, at + 4096));
        controller.close();
      },
    });
    return new Response(body, { status: cut ? 206 : 200, headers });
  };

async function load(fetcher: typeof fetch): Promise<string> {
  const { model } = await loadGpt2(gpu, fetchFiles('http://models.example/', names, fetcher, { silence }));
  const { fingerprint } = model.info;
  model.dispose();
  return fingerprint;
}

beforeAll(async () => {
  gpu = await testGpu();
  files = memoryFiles({});
  await writeModel(gpu, files);
  print = await load(server(true));
});

describe.each([
  [true, 'with'],
  [false, 'without'],
] as const)('a server %s ranges (%s)', (ranges, word) => {
  test.each(['reject', 'truncate', 'stall'] satisfies FetchFault[])(
    'fails by %s: right model or coded error, nothing left open, and the next try succeeds',
    async (how) => {
      const healthy = new FaultyFetch(server(ranges));
      expect(await load(healthy.fetch)).toBe(print);
      const { calls } = healthy.counter;
      const tally = new Tally();
      for (let call = 1; call <= calls.length; call++) {
        if (!long && calls.length > 30 && call % 5 !== 1) continue;
        const what = `${how} at call ${call} (${calls[call - 1]})`;
        const faulty = new FaultyFetch(server(ranges), { call, how });
        gpu.trim();
        await gpu.finished();
        const before = gpu.counters.snapshot().bytesLive;
        const outcome = await outcomeOf(what, () => load(faulty.fetch));
        tally.add(outcome);
        if ('result' in outcome) expect(outcome.result, what).toBe(print);
        else expect(outcome.code, what).toMatch(/^(files|safetensors|config)\//);
        gpu.trim();
        await gpu.finished();
        expect([faulty.openBodies, gpu.counters.snapshot().bytesLive], what).toEqual([0, before]);
        expect(await load(faulty.fetch), `${what}, then again`).toBe(print);
      }
      expect(tally.codes.size).toBeGreaterThan(0);
      recordResult(`faults: fetch, ${how}, ${word} ranges`, { 'calls of the job': calls.length, ...tally.figures });
    },
    600_000,
  );
});

test('a server that never answers ends with an abort, through an address as well', async () => {
  const stop = new AbortController();
  const never = new FaultyFetch(server(true), { call: 1, how: 'stall', lasting: true });
  const opening = openModel('http://models.example/', { fetch: never.fetch, signal: stop.signal });
  setTimeout(() => stop.abort(new Error('enough')), 20);
  await expect(opening).rejects.toThrow('enough');
});
