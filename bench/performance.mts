// docs/performance.md from a stored run of the benches: where the time goes in each whole job, and what the limit is.
// npm run performance [-- results/lavapipe/bench.json --out docs/performance.md]
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { performancePage } from './harness/performance-page.mjs';
import { parseRecord } from './harness/record.mjs';
import { RESULTS, save } from './result-file.mjs';

const { values: options, positionals } = parseArgs({
  options: { out: { type: 'string', default: path.resolve(import.meta.dirname, '../docs/performance.md') } },
  allowPositionals: true,
});
const file = positionals[0] ?? path.join(RESULTS, 'lavapipe/bench.json');
save(options.out, performancePage(parseRecord(readFileSync(file, 'utf8'))));
console.log(`written to ${path.relative(process.cwd(), options.out)}`);
