// Asks the Rust tokenizers (from Python) what they read in many tokenizer.json files at once.
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { sampleTexts } from './damage.js';
import type { Reading } from './verdict.js';

/** Per file a reading of each sample text (null where the reference fails on it), or null where the file is refused. Needs `pip install tokenizers`. */
export function referenceReadings(files: readonly Uint8Array[]): {
  readonly version: string;
  readonly readings: readonly (readonly (Reading | null)[] | null)[];
} {
  const program = process.env['LIMN_PYTHON'] ?? 'python3';
  const chunks = files.flatMap((bytes) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    return [head, bytes];
  });
  const input = Buffer.concat([Buffer.from(`${JSON.stringify(sampleTexts)}\n`), ...chunks]);
  const script = path.join(import.meta.dirname, 'reference-reads.py');
  const run = spawnSync(program, [script], { input, encoding: 'utf8', maxBuffer: 2 ** 30 });
  if (run.status !== 0) throw new Error(`${program} could not run the reference: ${run.error?.message ?? run.stderr}`);
  const [version = '', ...lines] = run.stdout.trimEnd().split('\n');
  if (lines.length !== files.length) throw new Error(`${files.length} files, but ${lines.length} answers`);
  return { version, readings: lines.map((line) => JSON.parse(line) as (Reading | null)[] | null) };
}
