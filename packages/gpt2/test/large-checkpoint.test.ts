// A checkpoint of more than 2 GiB, really written and read: a model of 190 million parameters, one update, and the run taken up again.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { recordResult, testGpu } from '@limn/testing';
import { expect, test } from 'vitest';
import { randomGpt2, saveGpt2, trainGpt2, type Gpt2 } from '../src/index.js';
import { CHECKPOINT_FILES, folderCheckpoints, nodeDisk, openFolder, type Disk } from '../src/node.js';

const GIB = 2 ** 30;
const sizes = { vocabulary: 50257, maxPositions: 16, width: 1024, layers: 11, heads: 16 };
/** Bytes of its weights; a checkpoint has three times as many. */
const weightBytes = 4 * (50257 * 1024 + 16 * 1024 + 11 * (12 * 1024 ** 2 + 13 * 1024) + 2 * 1024);

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes of arrays on the host, at most, whenever the disk is called, after a forced collection. */
class HostPeak {
  most = 0;

  watch(): void {
    collect();
    this.most = Math.max(this.most, process.memoryUsage().arrayBuffers);
  }

  /** The machine's disk. */
  get disk(): Disk {
    return {
      ...nodeDisk,
      open: (async (...given: Parameters<Disk['open']>) => {
        const file = await nodeDisk.open(...given);
        return new Proxy(file, {
          get: (target, name) => {
            const value: unknown = Reflect.get(target, name, target);
            if (typeof value !== 'function') return value;
            return (...words: unknown[]) => {
              this.watch();
              return (value as (...all: unknown[]) => unknown).apply(target, words);
            };
          },
        });
      }) as Disk['open'],
    };
  }
}

test('190 million parameters: 2.1 GiB are written, checked and read one tensor at a time', async (context) => {
  context.skip(process.env['LIMN_LONG'] !== '1', 'several GiB on disk and in memory: with LIMN_LONG=1');
  const root = mkdtempSync(path.join(os.tmpdir(), 'limn-large-'));
  try {
    const { bavail, bsize } = await statfs(root);
    context.skip(bavail * bsize < 8 * GIB, 'less than 8 GiB are free here');
    const gpu = await testGpu();
    const peak = new HostPeak();
    const run = async (model: Gpt2, disk: Disk) =>
      trainGpt2(model, {
        batch: () => [[1, 2, 3, 4]],
        steps: 1,
        recipe: { rate: 1e-3 },
        checkpoint: { store: folderCheckpoints(root, disk), every: 1 },
      });
    const before = process.memoryUsage().arrayBuffers;
    let started = performance.now();
    const first = await randomGpt2(gpu, sizes, 1, { readBack: false });
    const { fingerprint } = await run(first, peak.disk);
    const writing = { seconds: (performance.now() - started) / 1000, peak: peak.most - before };
    // saveGpt2 as well: into a folder that is another.
    peak.most = 0;
    await saveGpt2(first, openFolder(path.join(root, 'model'), peak.disk));
    const saving = peak.most - before;
    first.dispose();
    gpu.trim();
    const bytes = statSync(path.join(root, CHECKPOINT_FILES[0])).size;
    expect(bytes).toBeGreaterThan(2 * GIB);
    expect(bytes - 3 * weightBytes).toBeLessThan(2 ** 16);

    peak.most = 0;
    started = performance.now();
    const second = await randomGpt2(gpu, sizes, 2, { readBack: false });
    const resumed = await run(second, peak.disk);
    const reading = { seconds: (performance.now() - started) / 1000, peak: peak.most - before };
    second.dispose();
    expect([resumed.resumedFrom, resumed.fingerprint]).toEqual([1, fingerprint]);
    // The largest piece is a block of 64 MiB, here twice: as it is read back and as it is kept; and 4 MiB that gather what is small.
    for (const most of [writing.peak, saving, reading.peak]) expect(most).toBeLessThan(160 * 2 ** 20);
    recordResult('checkpoint of more than 2 GiB', {
      'checkpoint, bytes': bytes,
      'host arrays at most while writing, bytes': writing.peak,
      'host arrays at most while reading, bytes': reading.peak,
      'host arrays at most while saving the model, bytes': saving,
      'one update and writing, s': Math.round(writing.seconds),
      'checking and reading, s': Math.round(reading.seconds),
    });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}, 3_600_000);
