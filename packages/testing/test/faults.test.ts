// The fault-injecting wrappers do what they say: nothing without a fault, and with one exactly that failure at exactly that call.
import { mkdtempSync, readFileSync, rmSync, existsSync } from 'node:fs';
import * as files from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { spawnSync } from 'node:child_process';
import { openNodeGpu } from '@limn/gpu/node';
import type { Gpu } from '@limn/gpu';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FaultyDevice, FaultyFetch, FaultyFs, faultyProvider, type DeviceFault } from '../src/index.js';

let base: Gpu;
let root: string;
beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-faults-'));
  base = await openNodeGpu({ workBudgetFlops: 1e9 });
});
afterAll(() => {
  base.dispose();
  rmSync(root, { recursive: true, force: true });
});

describe('FaultyDevice', () => {
  /** Writes four numbers into a buffer and maps a copy of it; the calls it makes are those of `calls`. */
  const calls = [
    'createBuffer',
    'createBuffer',
    'writeBuffer',
    'createCommandEncoder',
    'submit',
    'onSubmittedWorkDone',
    'mapAsync',
    'getMappedRange',
    'popErrorScope',
  ];
  const work = async (device: GPUDevice): Promise<number | string> => {
    device.pushErrorScope('validation');
    const source = device.createBuffer({ size: 16, usage: 4 | 8 });
    const target = device.createBuffer({ size: 16, usage: 1 | 8 });
    try {
      device.queue.writeBuffer(source, 0, Float32Array.of(1, 2, 3, 4));
      const encoder = device.createCommandEncoder();
      encoder.copyBufferToBuffer(source, 0, target, 0, 16);
      device.queue.submit([encoder.finish()]);
      await device.queue.onSubmittedWorkDone();
      await target.mapAsync(1);
      const result = new Float32Array(target.getMappedRange().slice(0))[3] as number;
      target.unmap();
      const error = await device.popErrorScope();
      return error ? `reported: ${error.message}` : result;
    } finally {
      source.destroy();
      target.destroy();
    }
  };

  test('without a fault it is the device, and tells what was called and what is live', async () => {
    const faulty = new FaultyDevice(base.device);
    expect(await work(faulty.device)).toBe(4);
    expect(faulty.counter.calls).toEqual(calls);
    expect(faulty.counter.failed).toBeUndefined();
    expect(faulty.liveBuffers.size).toBe(0);
    const kept = faulty.device.createBuffer({ size: 16, usage: 8 });
    expect(faulty.liveBuffers).toEqual(new Set([kept]));
    kept.destroy();
    expect(faulty.device.limits.maxBufferSize).toBe(base.device.limits.maxBufferSize);
  });

  test.each(calls.map((name, i) => [name, i + 1] as const))(
    'throws at %s, call %i, and only there',
    async (name, call) => {
      const faulty = new FaultyDevice(base.device, { call, how: 'throw' });
      await expect(work(faulty.device)).rejects.toThrow(`injected at ${name}`);
      expect(faulty.counter.failed).toBe(name);
      expect(faulty.liveBuffers.size).toBeLessThan(2);
      for (const buffer of faulty.liveBuffers) buffer.destroy();
      expect(await work(faulty.device)).toBe(4);
    },
  );

  test.each(['createBuffer', 'writeBuffer', 'submit', 'popErrorScope'])(
    'reports at %s what WebGPU reports',
    async (name) => {
      const faulty = new FaultyDevice(base.device, { call: 1, how: 'report', of: [name] });
      const outcome = await work(faulty.device).catch((error: unknown) => `rejected: ${String(error)}`);
      expect(outcome).toMatch(/^(reported|rejected): ./);
      expect(await work(faulty.device)).toBe(4);
    },
  );

  test('is lost as a device is: promises settle, nothing is done any more, and the real device stays', async () => {
    for (const call of calls.keys()) {
      const faulty = new FaultyDevice(base.device, { call: call + 1, how: 'lose' });
      const outcome = await work(faulty.device).catch((error: unknown) => String(error));
      expect((await faulty.device.lost).reason).toBe('unknown');
      if (call + 1 <= calls.indexOf('mapAsync') + 1) expect(outcome).toContain('mapAsync');
    }
    expect(await work(base.device)).toBe(4);
  });

  test('a map under way when the device goes is rejected', async () => {
    const faulty = new FaultyDevice(base.device);
    const buffer = faulty.device.createBuffer({ size: 16, usage: 1 | 8 });
    faulty.lose();
    await expect(buffer.mapAsync(1)).rejects.toThrow('injected');
    faulty.device.destroy();
    expect((await faulty.device.lost).reason).toBe('unknown');
    buffer.destroy();
  });

  test('a provider hands out wrapped devices', async () => {
    const made: FaultyDevice[] = [];
    const native = { requestAdapter: async () => ({ requestDevice: async () => base.device }) } as unknown as GPU;
    const provider = faultyProvider(native, (real) => {
      made.push(new FaultyDevice(real, { call: 1, how: 'throw' satisfies DeviceFault }));
      return (made[0] as FaultyDevice).device;
    });
    const device = await (await provider.requestAdapter())?.requestDevice();
    expect(device).toBe(made[0]?.device);
    expect(() => device?.createBuffer({ size: 16, usage: 8 })).toThrow('injected');
  });
});

describe('FaultyFs', () => {
  const save = async (disk: typeof files, name: string): Promise<void> => {
    const file = await disk.open(path.join(root, name), 'w');
    try {
      await file.writeFile('twelve bytes');
      await file.sync();
    } finally {
      await file.close();
    }
    await disk.rename(path.join(root, name), path.join(root, `${name}.done`));
  };
  const steps = ['open', 'writeFile', 'sync', 'close', 'rename'];

  test('without a fault it is the file system', async () => {
    const faulty = new FaultyFs(files);
    await save(faulty.disk, 'a');
    expect(faulty.counter.calls).toEqual(steps);
    expect(faulty.openHandles).toBe(0);
    expect(readFileSync(path.join(root, 'a.done'), 'utf8')).toBe('twelve bytes');
  });

  test.each(steps)('fails at %s with the code, and closes what was open', async (step) => {
    const faulty = new FaultyFs(files, { call: steps.indexOf(step) + 1, how: 'ENOSPC' });
    await expect(save(faulty.disk, `b-${step}`)).rejects.toMatchObject({ code: 'ENOSPC', syscall: step });
    expect(faulty.openHandles).toBe(0);
    expect(existsSync(path.join(root, `b-${step}.done`))).toBe(false);
    if (step === 'writeFile') expect(readFileSync(path.join(root, 'b-writeFile'), 'utf8')).toBe('twelve');
  });

  test('a lasting fault stays; one of named operations counts only those', async () => {
    const full = new FaultyFs(files, { call: 2, how: 'ENOSPC', of: ['writeFile'], lasting: true });
    await save(full.disk, 'c');
    for (const name of ['d', 'e']) await expect(save(full.disk, name)).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  test('kill ends the process on the spot, with half of the bytes written', () => {
    const target = path.join(root, 'killed');
    const source = path.resolve(import.meta.dirname, '../src/faults/faulty-fs.ts');
    const script = `
      import * as files from 'node:fs/promises';
      import { FaultyFs } from ${JSON.stringify(source)};
      const { disk } = new FaultyFs(files, { call: 2, how: 'kill' });
      const file = await disk.open(${JSON.stringify(target)}, 'w');
      await file.writeFile('twelve bytes');
      console.log('still here');`;
    const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      encoding: 'utf8',
    });
    expect([run.signal, run.stdout], run.stderr).toEqual(['SIGKILL', '']);
    expect(readFileSync(target, 'utf8')).toBe('twelve');
  });
});

describe('FaultyFetch', () => {
  const pieces = ['one ', 'two ', 'three'];
  const server: typeof fetch = async () =>
    new Response(
      new ReadableStream({
        start(controller) {
          for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
          controller.close();
        },
      }),
      { headers: { 'x-kind': 'test' } },
    );
  const get = async (fetcher: typeof fetch, init: RequestInit = {}): Promise<string> =>
    (await fetcher('http://test/', init)).text();

  test('without a fault it is the fetch, and counts the request and the pieces', async () => {
    const faulty = new FaultyFetch(server);
    const response = await faulty.fetch('http://test/');
    expect(faulty.openBodies).toBe(1);
    expect([response.headers.get('x-kind'), await response.text()]).toEqual(['test', 'one two three']);
    expect(faulty.counter.calls).toEqual(['fetch', 'read', 'read', 'read', 'read']);
    expect(faulty.openBodies).toBe(0);
  });

  test('rejects a request, breaks a body, cuts it off', async () => {
    await expect(get(new FaultyFetch(server, { call: 1, how: 'reject' }).fetch)).rejects.toThrow('fetch failed');
    const broken = new FaultyFetch(server, { call: 3, how: 'reject' });
    await expect(get(broken.fetch)).rejects.toThrow('terminated');
    expect(broken.openBodies).toBe(0);
    expect(await get(new FaultyFetch(server, { call: 4, how: 'truncate' }).fetch)).toBe('one two ');
  });

  test.each([1, 2])('a stall at call %i ends with the abort and not before', async (call) => {
    const faulty = new FaultyFetch(server, { call, how: 'stall' });
    const stop = new AbortController();
    let ended = false;
    const got = get(faulty.fetch, { signal: stop.signal }).finally(() => (ended = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(ended).toBe(false);
    stop.abort(new Error('enough'));
    await expect(got).rejects.toThrow('enough');
    expect(faulty.openBodies).toBe(0);
  });
});
