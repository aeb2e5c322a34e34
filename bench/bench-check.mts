// Did it change: runs the jobs whose ratios and counts are kept for this adapter and compares. Fails on a count that differs and on a ratio that is clearly worse.
// npm run bench:check [-- --write --only kernels,jobs --filter 'matmul|softmax' --rounds 9 --out DIR]
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Gpu } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { whole } from './arguments.mjs';
import { adapterRecord, adapterSlug } from './harness/adapter.mjs';
import { benchRecord } from './harness/bench-record.mjs';
import { parseRatios, ratiosOf, regressions } from './harness/regression.mjs';
import { RESULTS, save } from './result-file.mjs';

/** A check is for every day: whole jobs of a model that a software adapter runs in a tenth of a second. */
const SMALL = { layers: 4, heads: 4, width: 256, vocabulary: 4096, maxPositions: 256 };

// What somebody's machine was tuned to is no matter here.
const open = (workBudgetFlops?: number): Promise<Gpu> =>
  openNodeGpu({
    label: 'bench check',
    choices: 'built-in',
    ...(workBudgetFlops === undefined ? {} : { workBudgetFlops }),
  });
process.exitCode = await check();

/** The exit code. */
async function check(): Promise<number> {
  const { values: options } = parseArgs({
    options: {
      write: { type: 'boolean', default: false },
      only: { type: 'string', default: 'kernels,jobs' },
      filter: { type: 'string', default: '' },
      rounds: { type: 'string', default: '9' },
      out: { type: 'string', default: RESULTS },
    },
  });
  const measured = await open();
  const { workBudgetFlops } = measured;
  const slug = adapterSlug(adapterRecord(measured));
  measured.dispose();
  const file = path.join(options.out, slug, 'ratios.json');
  const shown = path.relative(process.cwd(), file);
  if (!options.write && !existsSync(file)) {
    console.log(`nothing is kept for ${slug}: npm run bench:check -- --write makes ${shown}`);
    return 2;
  }
  const rounds = whole(options.rounds);
  const kept = options.write ? undefined : parseRatios(readFileSync(file, 'utf8'));
  // Work is cut into submits by the adapter's speed, which another minute measures anew.
  const budget = kept?.workBudgetFlops ?? workBudgetFlops;
  using device = await open(budget);
  const record = await benchRecord(device, { ...options, rounds, title: 'a small model', shape: SMALL });
  const now = ratiosOf(record, slug, budget);
  if (record.failures.length > 0) return 1;
  if (!kept) {
    save(file, `${JSON.stringify(now, undefined, 1)}\n`);
    console.log(`written to ${shown}`);
    return 0;
  }
  const findings = regressions(kept, now);
  for (const { job, what, kept, now: got, verdict } of findings)
    console.log(`${verdict.padEnd(8)} ${job}: ${what}: kept ${kept}, now ${got}`);
  const worse = findings.filter(({ verdict }) => verdict === 'worse' || verdict === 'changed').length;
  if (worse === 0) console.log(`nothing is worse than what is kept; ${record.jobs.length} jobs`);
  else console.log(`${worse} are worse or differ. If that is meant: npm run bench:check -- --write`);
  return worse === 0 ? 0 : 1;
}
