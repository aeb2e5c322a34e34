// Pocket for tests: its committed weights, when they are there, and a few held-out pairs of two tasks.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { loadGpt2, type Gpt2 } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { modelFolder } from '@limn/pocket';
import { generatePairs } from '@limn/tasks';
import { testGpu } from '@limn/testing';
import type { Pair } from '../src/index.js';

/** Whether pocket's weights are in this checkout; tests on it are skipped with the reason where they are not. */
export const POCKET = existsSync(new URL('model.safetensors', modelFolder()));
export const NO_POCKET = "pocket's weights are not in this checkout";

export async function openPocket(): Promise<Gpt2> {
  return (await loadGpt2(await testGpu(), openFolder(fileURLToPath(modelFolder())))).model;
}

/** Two pairs of two tasks, of different lengths. */
export async function openPocketForTest(): Promise<{ model: Gpt2; pairs: readonly Pair[] }> {
  const pairs = ['ioi', 'gender'].flatMap((task) => generatePairs(task, { seed: 3, n: 2, split: 'held-out' }));
  return { model: await openPocket(), pairs };
}
