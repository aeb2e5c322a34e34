// Asks the reference reader (the Python package safetensors, over its Rust core) for its verdict on many files at once.
import { spawnSync } from 'node:child_process';
import path from 'node:path';

/** Its version, and its verdict per file, as `verdictOf` words it. Needs `pip install safetensors`; LIMN_PYTHON names another python3. */
export function referenceVerdicts(files: readonly Uint8Array[]): {
  readonly version: string;
  readonly verdicts: readonly string[];
} {
  const chunks = files.flatMap((bytes) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(bytes.length);
    return [head, bytes];
  });
  const program = process.env['LIMN_PYTHON'] ?? 'python3';
  const { stdout, stderr, status, error } = spawnSync(
    program,
    [path.join(import.meta.dirname, 'reference-verdicts.py')],
    {
      input: Buffer.concat(chunks),
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    },
  );
  if (status !== 0) throw new Error(`${program} could not run the reference reader: ${error?.message ?? stderr}`);
  const [version = '', ...verdicts] = stdout.trimEnd().split('\n');
  if (verdicts.length !== files.length) throw new Error(`${files.length} files, but ${verdicts.length} verdicts`);
  return { version, verdicts };
}
