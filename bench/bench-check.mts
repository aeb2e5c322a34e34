// Did it change: runs the jobs whose ratios and counts are kept for this adapter and compares. Fails on a count that differs and on a ratio that is clearly worse.
// npm run bench:check [-- --write --only kernels,jobs --filter WORDS --rounds 9 --dir results]
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { whole } from './arguments.mjs';
import { adapterRecord, adapterSlug } from './harness/adapter.mjs';
import { clocksOf, cpuClock } from './harness/clock.mjs';
import { kernelJobs } from './harness/kernel-jobs.mjs';
import { environmentRecord } from './harness/node-results.mjs';
import { RECORD_KIND, RECORD_VERSION } from './harness/record.mjs';
import { parseRatios, ratiosOf, regressions } from './harness/regression.mjs';
import { runBench } from './harness/run-bench.mjs';
import { jobLines } from './harness/terminal-table.mjs';
import { wholeJobs } from './harness/whole-jobs.mjs';
import { RESULTS, save } from './result-file.mjs';

const { values: options } = parseArgs({
  options: {
    write: { type: 'boolean', default: false },
    only: { type: 'string', default: 'kernels,jobs' },
    filter: { type: 'string', default: '' },
    rounds: { type: 'string', default: '9' },
    dir: { type: 'string', default: RESULTS },
  },
});
const gpu = await openNodeGpu({ label: 'bench check' });
const adapter = adapterRecord(gpu);
const slug = adapterSlug(adapter);
const file = path.join(options.dir, slug, 'ratios.json');
if (!options.write && !existsSync(file)) {
  console.error(
    `nothing is kept for ${slug}: npm run bench:check -- --write makes ${path.relative(process.cwd(), file)}`,
  );
  process.exit(2);
}
const cpu = cpuClock();
const rounds = whole(options.rounds);
const sections = options.only.split(',');
/** A check is for every day: whole jobs of a model that a software adapter runs in a tenth of a second. */
const SMALL = { layers: 4, heads: 4, width: 256, vocabulary: 4096, maxPositions: 256 };
const { jobs, dispose } = wholeJobs('a small model', SMALL);
const found = await runBench(gpu, {
  ceilings: false,
  jobs: [...kernelJobs(), ...jobs].filter(
    ({ group, name }) => sections.includes(group) && name.includes(options.filter),
  ),
  rounds,
  clocks: clocksOf(adapter, cpu),
  cpu,
  isSoftware: adapter.isSoftware,
  onJob: (record) => jobLines(record).forEach((line) => console.log(line)),
  onFailure: ({ name, reason }) => console.log(`${name}: ${reason}`),
});
const now = ratiosOf(
  {
    kind: RECORD_KIND,
    version: RECORD_VERSION,
    date: new Date().toISOString(),
    adapter,
    environment: environmentRecord(),
    rounds,
    missing: [],
    ...found,
  },
  slug,
);
dispose();
gpu.dispose();
let failed = found.failures.length;
if (options.write) {
  save(file, `${JSON.stringify(now, undefined, 1)}\n`);
  console.log(`written to ${path.relative(process.cwd(), file)}`);
} else {
  const findings = regressions(parseRatios(readFileSync(file, 'utf8')), now);
  for (const { job, what, kept, now: got, verdict } of findings)
    console.log(`${verdict.padEnd(8)} ${job}: ${what}: kept ${kept}, now ${got}`);
  failed += findings.filter(({ verdict }) => verdict === 'worse' || verdict === 'changed').length;
  console.log(
    failed > 0
      ? `${failed} that are worse. If that is meant: npm run bench:check -- --write`
      : `nothing is worse than what is kept of ${Object.keys(now.counts).length} jobs`,
  );
}
process.exit(failed > 0 ? 1 : 0);
