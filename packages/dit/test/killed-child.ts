// Trainings in a process of their own that end by SIGKILL, and the folder that they leave behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { folderCheckpoints } from '@limn/gpt2/node';
import { expect } from 'vitest';

/** Runs a program of this folder until it kills itself, and then `then` on the checkpoints that it left. */
export async function afterKill(
  program: string,
  then: (store: ReturnType<typeof folderCheckpoints>) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'limn-killed-'));
  try {
    const words = ['--conditions=limn-source', '--import', 'tsx', path.join(import.meta.dirname, program)];
    const running = spawn(process.execPath, [...words, folder], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    running.stderr.on('data', (text: Buffer) => (said += text.toString()));
    const [, signal] = (await once(running, 'close')) as [number | null, string | null];
    expect(signal, said).toBe('SIGKILL');
    await then(folderCheckpoints(folder));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
