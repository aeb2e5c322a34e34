// Did it change: runs the jobs whose ratios and counts are kept for this adapter and compares. Fails on a count that differs and on a ratio that is clearly worse.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Gpu } from '@limn/gpu';
import { openNodeGpu } from '@limn/gpu/node';
import { whole } from './arguments.mjs';
import { command, WrongArguments } from './command.mjs';
import { adapterRecord, adapterSlug } from './harness/adapter.mjs';
import { benchRecord } from './harness/bench-record.mjs';
import { parseRatios, ratiosOf, regressions, type KeptRatios } from './harness/regression.mjs';
import { makeFolder, RESULTS, save } from './result-file.mjs';

const USAGE = `npm run bench:check [-- --write --only kernels,jobs --filter 'matmul|softmax' --rounds 9 --out DIR]
--write keeps what is measured now, all of it; a part only where --out says. LIMN_ADAPTER=swiftshader|system|auto says on which adapter.`;

const ALL = 'kernels,jobs';
const options = {
  write: { type: 'boolean', default: false },
  only: { type: 'string', default: ALL },
  filter: { type: 'string', default: '' },
  rounds: { type: 'string', default: '9' },
  out: { type: 'string', default: RESULTS },
} as const;

/** A check is for every day: whole jobs of a model that a software adapter runs in a tenth of a second. */
const SMALL = { layers: 4, heads: 4, width: 256, vocabulary: 4096, maxPositions: 256 };

// What somebody's machine was tuned to is no matter here.
const open = (workBudgetFlops?: number): Promise<Gpu> =>
  openNodeGpu({
    label: 'bench check',
    choices: 'built-in',
    ...(workBudgetFlops === undefined ? {} : { workBudgetFlops }),
  });

/** What is kept in a file. Throws where that cannot be read. */
function keptIn(file: string): KeptRatios {
  try {
    return parseRatios(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new WrongArguments(`${file}: ${(error as Error).message}. npm run bench:check -- --write makes it anew`);
  }
}

await command(USAGE, { options }, async ({ values: asked }) => {
  const isWhole = asked.only === ALL && asked.filter === '';
  if (asked.write && !isWhole && asked.out === RESULTS)
    throw new WrongArguments(
      '--write would keep a part and forget the rest: leave out --only and --filter, or give --out',
    );
  const measured = await open();
  const { workBudgetFlops } = measured;
  const slug = adapterSlug(adapterRecord(measured));
  measured.dispose();
  const file = path.join(asked.out, slug, 'ratios.json');
  const shown = path.relative(process.cwd(), file);
  if (asked.write) makeFolder(path.dirname(file));
  else if (!existsSync(file)) {
    console.log(`nothing is kept for ${slug}: npm run bench:check -- --write makes ${shown}`);
    return 2;
  }
  const rounds = whole(asked.rounds);
  const kept = asked.write ? undefined : keptIn(file);
  // Work is cut into submits by the adapter's speed, which another minute measures anew.
  const budget = kept?.workBudgetFlops ?? workBudgetFlops;
  using device = await open(budget);
  const record = await benchRecord(device, { ...asked, rounds, title: 'a small model', shape: SMALL });
  const now = ratiosOf(record, slug, budget);
  if (record.failures.length > 0) {
    console.log(`${record.failures.length} failed, so that nothing is ${kept ? 'compared' : 'kept'}`);
    return 1;
  }
  if (!kept) {
    save(file, `${JSON.stringify(now, undefined, 1)}\n`);
    console.log(`written to ${shown}`);
    return 0;
  }
  const findings = regressions(kept, now, isWhole);
  for (const { job, what, kept: before, now: got, verdict } of findings)
    console.log(`${verdict.padEnd(8)} ${job}: ${what}: kept ${before}, now ${got}`);
  const worse = findings.filter(({ verdict }) => verdict === 'worse' || verdict === 'changed').length;
  if (worse === 0) console.log(`nothing is worse than what is kept; ${record.jobs.length} jobs`);
  else console.log(`${worse} are worse or differ. If that is meant: npm run bench:check -- --write`);
  return worse === 0 ? 0 : 1;
});
