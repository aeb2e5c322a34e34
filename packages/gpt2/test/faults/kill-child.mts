// A process that trains and is killed: by itself at a given batch or at a given call of the disk, or by its parent once it said 'training' or 'waiting'.
import { writeSync } from 'node:fs';
import { openNodeGpu } from '@limn/gpu/node';
import { FaultyFs } from '@limn/testing';
import { nodeDisk } from '../../src/node.js';
import { batch } from './job.js';
import { trainIn } from './kill-job.js';

/** The point at which the process kills itself, if it does, or waits to be killed. */
export interface KillPoint {
  readonly batch?: number;
  readonly diskCall?: number;
  readonly waitAt?: number;
}

const [out, point] = process.argv.slice(2) as [string, string];
const { batch: atBatch, diskCall, waitAt } = JSON.parse(point) as KillPoint;
const gpu = await openNodeGpu({ workBudgetFlops: 1e9, onNotice: () => undefined });
const { disk } = new FaultyFs(nodeDisk, diskCall === undefined ? undefined : { call: diskCall, how: 'kill' });
// The data's first and last batch are asked for once before training, to know the data by.
let asked = 0;
const given = (step: number): Uint32Array[] => {
  asked += 1;
  if (asked === 4) console.log('training');
  if (asked > 3 && step === atBatch) process.kill(process.pid, 'SIGKILL');
  if (asked > 3 && step === waitAt) {
    // Written at once, since nothing runs in this process from here on.
    writeSync(1, 'waiting\n');
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  }
  return batch(step);
};
const { fingerprint } = await trainIn(gpu, out, disk, given);
console.log(fingerprint);
gpu.dispose();
