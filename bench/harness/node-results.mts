// The files of a run of the benches: what was found as JSON, a page of Markdown about it, and a drawing.
import { readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { save } from '../result-file.mjs';
import { adapterSlug } from './adapter.mjs';
import { drawing } from './drawing.mjs';
import type { BenchRecord, EnvironmentRecord } from './record.mjs';
import { summary } from './summary.mjs';

/** Where it runs. */
export function environmentRecord(): EnvironmentRecord {
  const { version } = JSON.parse(readFileSync(path.join(import.meta.dirname, '../package.json'), 'utf8')) as {
    version: string;
  };
  return {
    runtime: `Node ${process.version}`,
    platform: `${process.platform} ${process.arch}`,
    cores: os.availableParallelism(),
    limn: version,
    restsLent: true,
  };
}

/** Writes bench.json, bench.md and bench.svg into the adapter's folder; their paths as seen from here. */
export function writeResults(out: string, record: BenchRecord): string[] {
  const folder = path.join(out, adapterSlug(record.adapter));
  const files = {
    'bench.json': `${JSON.stringify(record, undefined, 1)}\n`,
    'bench.md': summary(record),
    'bench.svg': drawing(record),
  };
  return Object.entries(files).map(([name, text]) => {
    const file = path.join(folder, name);
    save(file, text);
    return path.relative(process.cwd(), file);
  });
}
