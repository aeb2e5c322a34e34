// The driver is unpacked whole, once, by however many processes, and every refusal says why.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { locateArchive, prepareSoftwareVulkan, unpackDriver, withSoftwareVulkan, type Archive } from '../src/index.js';

const source = fileURLToPath(new URL('../src/index.ts', import.meta.url));
const supported = process.platform === 'linux' && process.arch === 'x64';
const elsewhere = 'the driver is for Linux on x64';
let folder: string;
beforeEach(() => void (folder = mkdtempSync(path.join(os.tmpdir(), 'limn-test-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function archive(): Archive {
  const found = locateArchive();
  if ('reason' in found) throw new Error(found.reason);
  return found;
}

describe('unpacking', () => {
  beforeEach((context) => context.skip(!supported, elsewhere));
  test('gives a loader, a driver and a manifest that names it, and leaves nothing else', () => {
    const files = unpackDriver(archive(), folder);
    const manifest = JSON.parse(readFileSync(files.manifest, 'utf8')) as { ICD: { library_path: string } };
    const driver = path.resolve(path.dirname(files.manifest), manifest.ICD.library_path);
    for (const file of [files.loader, driver])
      expect(readFileSync(file).subarray(0, 4).toString('latin1')).toBe('\u007fELF');
    expect(readdirSync(folder)).toEqual([archive().version]);
  });

  test('happens once: a second call leaves the files untouched', () => {
    const { loader } = unpackDriver(archive(), folder);
    const before = statSync(loader).mtimeMs;
    expect(unpackDriver(archive(), folder).loader).toBe(loader);
    expect(statSync(loader).mtimeMs).toBe(before);
  });

  test('repairs a file that was cut short', () => {
    const { loader } = unpackDriver(archive(), folder);
    const size = statSync(loader).size;
    truncateSync(loader, 1000);
    unpackDriver(archive(), folder);
    expect(statSync(loader).size).toBe(size);
    expect(readdirSync(folder)).toEqual([archive().version]);
  });

  test('by four processes at once gives each of them whole files', async () => {
    const script = `import { locateArchive, unpackDriver } from ${JSON.stringify(source)}; console.log(JSON.stringify(unpackDriver(locateArchive(), ${JSON.stringify(folder)})));`;
    const file = path.join(folder, 'unpack.mts');
    writeFileSync(file, script);
    const runs = Array.from({ length: 4 }, () =>
      promisify(execFile)(process.execPath, ['--import', import.meta.resolve('tsx'), file]),
    );
    const outputs = (await Promise.all(runs)).map(({ stdout }) => stdout.trim());
    expect(new Set(outputs).size).toBe(1);
    const { loader } = JSON.parse(outputs[0]!) as { loader: string };
    expect(existsSync(loader)).toBe(true);
    expect(readdirSync(folder).sort()).toEqual([archive().version, 'unpack.mts']);
  });

  test('refuses a folder that others can write to', () => {
    const open = path.join(folder, 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);
    expect(() => unpackDriver(archive(), open)).toThrow('is not a folder that only this user can write to');
  });

  test('refuses a damaged archive and one without the driver', () => {
    const cut = path.join(folder, 'cut.tar.br');
    const header = Buffer.alloc(512);
    header.write('libvulkan.so.1');
    header.write('00000010000\0', 124, 'latin1');
    header.write('0', 156);
    writeFileSync(cut, brotliCompressSync(header));
    expect(() => unpackDriver({ file: cut, version: 'x' }, path.join(folder, 'a'))).toThrow('is damaged at byte 0');
    const empty = path.join(folder, 'empty.tar.br');
    writeFileSync(empty, brotliCompressSync(Buffer.alloc(1024)));
    expect(() => unpackDriver({ file: empty, version: 'x' }, path.join(folder, 'a'))).toThrow(
      'holds no libvulkan.so.1',
    );
    expect(readdirSync(path.join(folder, 'a'))).toEqual([]);
  });
});

describe('preparing', () => {
  test('points the loader at the driver only while it is used', async () => {
    const before = process.env['VK_DRIVER_FILES'];
    const seen = await withSoftwareVulkan(
      (report) => Promise.resolve({ ...report, variable: process.env['VK_DRIVER_FILES'] }),
      { cacheDir: folder },
    );
    if (!supported) return expect(seen).toMatchObject({ available: false, reason: /linux-x64 only/ });
    expect(seen).toMatchObject({ available: true });
    if ('variable' in seen) expect(seen.variable).toBe(seen.manifest);
    expect(process.env['VK_DRIVER_FILES']).toBe(before);
  });

  test('says why it cannot: a folder that cannot be made', (context) => {
    context.skip(!supported, elsewhere);
    const file = path.join(folder, 'file');
    writeFileSync(file, '');
    expect(prepareSoftwareVulkan({ cacheDir: file })).toMatchObject({
      available: false,
      reason: expect.stringContaining('could not be unpacked') as string,
    });
  });

  test('says why it cannot: a worker thread', async (context) => {
    context.skip(!supported, elsewhere);
    const file = path.join(folder, 'worker.mjs');
    writeFileSync(
      file,
      `import { parentPort } from 'node:worker_threads';
import { register } from ${JSON.stringify(import.meta.resolve('tsx/esm/api'))};
register();
const { prepareSoftwareVulkan } = await import(${JSON.stringify(source)});
parentPort.postMessage(prepareSoftwareVulkan());`,
    );
    const worker = new Worker(file);
    const report = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    expect(report).toMatchObject({ available: false, reason: expect.stringContaining('worker thread') as string });
    await worker.terminate();
  });
});
