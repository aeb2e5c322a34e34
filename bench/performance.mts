// docs/performance.md from a stored run of the benches, and the updates of dictionaries stored beside it: where the time goes in each whole job, and what the limit is.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { command, WrongArguments } from './command.mjs';
import { recordFile, type UpdateRecord } from './dictionary-update/record.mjs';
import { FORMS } from './dictionary-update/spec.mjs';
import { performancePage } from './harness/performance-page.mjs';
import { parseRecord } from './harness/record.mjs';
import { RESULTS, save } from './result-file.mjs';

const USAGE = 'npm run performance [-- bench/results/lavapipe/bench.json --out docs/performance.md]';

const options = {
  out: { type: 'string', default: path.resolve(import.meta.dirname, '../docs/performance.md') },
} as const;

/** Updates of dictionaries that were measured on the adapter whose results lie in `folder`. */
function updatesOf(folder: string): UpdateRecord[] {
  return FORMS.flatMap((form) => {
    const file = path.join(path.dirname(folder), recordFile(form, path.basename(folder), false));
    return existsSync(file) ? [JSON.parse(readFileSync(file, 'utf8')) as UpdateRecord] : [];
  });
}

function pageOf(text: string, file: string): string {
  try {
    return performancePage(parseRecord(text), updatesOf(path.dirname(file)));
  } catch (error) {
    throw new WrongArguments(`${file}: ${(error as Error).message}`);
  }
}

await command(USAGE, { options, allowPositionals: true }, ({ values: { out }, positionals }) => {
  const file = positionals[0] ?? path.join(RESULTS, 'lavapipe/bench.json');
  const text = readFileSync(file, 'utf8');
  save(out, pageOf(text, file));
  console.log(`written to ${path.relative(process.cwd(), out)}`);
  return 0;
});
