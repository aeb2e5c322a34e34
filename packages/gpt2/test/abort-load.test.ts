// A load that is stopped while a read hangs for ever: it ends at once with the caller's reason, and leaves nothing on the GPU, open or connected.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import { recordResult, testGpu } from '@limn/testing';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { loadGpt2, memoryFiles, openModel, planLoad, type ModelFiles } from '../src/index.js';
import { nodeDisk, openFolder, type Disk } from '../src/node.js';
import { modelFiles } from './hub/model.js';

const files = modelFiles();
const reason = new Error('enough');
/** More than the reads of a load. */
const never = 10_000;
/** In short, every third read hangs in its turn. */
const stride = process.env['LIMN_LONG'] === '1' ? 1 : 3;
let gpu: Gpu;
beforeAll(async () => void (gpu = await testGpu()));

async function bytesLive(): Promise<number> {
  gpu.trim();
  await gpu.finished();
  return gpu.counters.snapshot().bytesLive;
}

/** Loads from `open`; when the load hangs, it is stopped. Resolves to whether it was, and expects the right end of it. */
async function stoppedWhenHanging(
  what: string,
  open: (signal: AbortSignal) => Promise<ModelFiles>,
  hanging: Promise<void>,
): Promise<boolean> {
  const stop = new AbortController();
  const { signal } = stop;
  const before = await bytesLive();
  const loading = open(signal).then((source) => loadGpt2(gpu, source, { signal }));
  const outcome = loading.then(
    ({ model }) => model.dispose(),
    (error: unknown) => error,
  );
  const hung = await Promise.race([hanging.then(() => true), outcome.then(() => false)]);
  if (hung) {
    // A moment for what is under way beside the read that hangs.
    await new Promise((done) => setTimeout(done, 5));
    const since = performance.now();
    stop.abort(reason);
    expect(await outcome, what).toBe(reason);
    // Two seconds are no measure of it but of how busy this machine may be; a read that is waited for never ends.
    expect(performance.now() - since, what).toBeLessThan(2000);
  } else expect(await outcome, what).toBeUndefined();
  expect(await bytesLive(), what).toBe(before);
  return hung;
}

/** Runs `load` with one call after another hanging until none is reached any more, and records how many were. */
async function everyCall(what: string, load: (call: number) => Promise<boolean>): Promise<void> {
  let [call, hung] = [1, 0];
  for (; call < never && (await load(call)); call += stride) hung += 1;
  expect(call).toBeLessThan(never);
  // Config, tokenizer, header and every weight.
  expect(hung * stride).toBeGreaterThan(24);
  recordResult(`aborts while loading: ${what}`, { 'reads that hung': hung, 'something left': 0 });
}

test('a source that takes no notice of signals', async () => {
  const held = memoryFiles(Object.fromEntries(files));
  await everyCall('a source without signals', async (call) => {
    let [calls, tell] = [0, (): void => undefined];
    const hanging = new Promise<void>((resolve) => (tell = resolve));
    const maybe = async <T>(act: () => Promise<T>): Promise<T> => {
      if (++calls !== call) return act();
      tell();
      return new Promise<never>(() => undefined);
    };
    const source: ModelFiles = {
      label: 'deaf',
      read: (name, start, end) => maybe(() => held.read(name, start, end)),
      size: (name) => maybe(() => held.size(name)),
      list: () => maybe(() => held.list()),
    };
    return stoppedWhenHanging(`call ${call}`, async () => source, hanging);
  });
});

test('a disk that does not answer: no handle stays open when it does in the end', async () => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'limn-abort-'));
  for (const [name, bytes] of files) writeFileSync(path.join(folder, name), bytes);
  await everyCall('a disk', async (call) => {
    let [calls, open] = [0, 0];
    let [tell, release] = [(): void => undefined, (): void => undefined];
    const hanging = new Promise<void>((resolve) => (tell = resolve));
    const released = new Promise<void>((resolve) => (release = resolve));
    const maybe = async <T>(act: () => Promise<T>): Promise<T> => {
      if (++calls === call) {
        tell();
        await released;
      }
      return act();
    };
    const disk = {
      ...nodeDisk,
      stat: (file: string) => maybe(() => nodeDisk.stat(file)),
      readdir: (file: string) => maybe(() => nodeDisk.readdir(file)),
      readFile: (file: string, options: object) => maybe(() => nodeDisk.readFile(file, options)),
      open: (file: string) =>
        maybe(async () => {
          const handle = await nodeDisk.open(file, 'r');
          open += 1;
          return {
            stat: () => handle.stat(),
            read: (...given: Parameters<typeof handle.read>) => maybe(() => handle.read(...given)),
            close: () => handle.close().then(() => void (open -= 1)),
          };
        }),
    } as unknown as Disk;
    const did = await stoppedWhenHanging(`call ${call}`, async () => openFolder(folder, disk), hanging);
    release();
    await expect.poll(() => open, { interval: 2 }).toBe(0);
    return did;
  });
  rmSync(folder, { recursive: true });
});

let server: Server | undefined;
const sockets = new Set<unknown>();
afterEach(() => server?.closeAllConnections());
afterAll(() => void server?.close());

/** Serves the files; request `call` is answered with nothing, or with half of what it should be, for ever. Resolves to the address. */
async function serve(call: number, how: 'nothing' | 'half', tell: () => void): Promise<string> {
  let calls = 0;
  server = createServer((request, response) => {
    sockets.add(response);
    response.on('close', () => sockets.delete(response));
    const bytes = files.get((request.url as string).slice(1));
    const [, from = '0', to] = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? '') ?? [];
    const part = bytes?.subarray(Number(from), to === undefined ? bytes.length : Number(to) + 1);
    const hangs = ++calls === call;
    if (hangs) tell();
    if (hangs && (how === 'nothing' || !part || request.method === 'HEAD')) return;
    if (!part || !bytes) return void response.writeHead(404).end();
    response.writeHead(to === undefined ? 200 : 206, {
      'content-length': part.length,
      ...(to === undefined ? {} : { 'content-range': `bytes ${from}-${to}/${bytes.length}` }),
    });
    if (request.method === 'HEAD') return void response.end();
    if (hangs) return void response.write(part.subarray(0, part.length >> 1));
    response.end(part);
  });
  await new Promise<void>((done) => server?.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

test.each(['nothing', 'half'] as const)('a server that answers with %s and stays connected', async (how) => {
  await everyCall(`a server that answers with ${how}`, async (call) => {
    let tell = (): void => undefined;
    const hanging = new Promise<void>((resolve) => (tell = resolve));
    const address = await serve(call, how, tell);
    const did = await stoppedWhenHanging(`request ${call}`, (signal) => openModel(address, { signal }), hanging);
    // The requests are closed as well, all of them.
    await expect.poll(() => sockets.size, { interval: 2 }).toBe(0);
    server?.close();
    return did;
  });
});

test('a signal that has fired before, and the plan of a load', async () => {
  const signal = AbortSignal.abort(reason);
  let asked = 0;
  const source: ModelFiles = {
    ...memoryFiles(Object.fromEntries(files)),
    size: async () => ++asked,
  };
  await expect(loadGpt2(gpu, source, { signal })).rejects.toBe(reason);
  await expect(planLoad(source, { signal })).rejects.toBe(reason);
  expect(asked).toBe(0);
  for (const kept of [memoryFiles(Object.fromEntries(files)), openFolder('.')])
    await expect(kept.read('config.json', 0, 1, signal)).rejects.toBe(reason);
});
