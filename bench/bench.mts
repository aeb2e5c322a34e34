// How near to the limit, and against which peer: ceilings of the adapter, kernels and whole jobs in one run.
// npm run bench [-- --only ceilings,kernels,jobs --filter WORDS --peers onnxruntime,jax,tfjs,pytorch|all --rounds 9 --out DIR --layers 12 …]
import { parseArgs } from 'node:util';
import { openNodeGpu } from '@limn/gpu/node';
import { isGpt2Small, shapeName, shapeOf, shapeOptions, whole } from './arguments.mjs';
import { adapterRecord } from './harness/adapter.mjs';
import { clocksOf, cpuClock } from './harness/clock.mjs';
import type { Peer } from './harness/contender.mjs';
import { kernelJobs } from './harness/kernel-jobs.mjs';
import { environmentRecord, writeResults } from './harness/node-results.mjs';
import { RECORD_KIND, RECORD_VERSION, type BenchRecord } from './harness/record.mjs';
import { runBench } from './harness/run-bench.mjs';
import { reachTable } from './harness/reach.mjs';
import { ceilingLine, jobLines, reachLines, tableHead } from './harness/terminal-table.mjs';
import { wholeJobs } from './harness/whole-jobs.mjs';
import { RESULTS } from './result-file.mjs';

const SECTIONS = ['ceilings', 'kernels', 'jobs'] as const;
const { values: options } = parseArgs({
  options: {
    only: { type: 'string', default: SECTIONS.join() },
    filter: { type: 'string', default: '' },
    peers: { type: 'string', default: '' },
    rounds: { type: 'string', default: '9' },
    out: { type: 'string', default: RESULTS },
    ...shapeOptions,
  },
});
const sections = options.only.split(',');
const unknown = sections.find((section) => !(SECTIONS as readonly string[]).includes(section));
if (unknown !== undefined) throw new Error(`there is no section ${unknown}: --only takes ${SECTIONS.join(', ')}`);
const shape = shapeOf(options);
const rounds = whole(options.rounds);
if (rounds < 1) throw new Error('--rounds takes at least 1');

const gpu = await openNodeGpu({ label: 'bench' });
const adapter = adapterRecord(gpu);
const cpu = cpuClock();
const clocks = clocksOf(adapter, cpu);
const peers: Peer[] = [];
const missing: string[] = [];
if (options.peers) {
  const { openPeers } = await import('./peers/index.mjs');
  const opened = await openPeers(options.peers === 'all' ? undefined : options.peers.split(','));
  peers.push(...opened.peers);
  missing.push(...opened.missing);
}
console.log(`${adapter.description || adapter.device} (${adapter.source}); ${rounds} rounds, ${clocks.own} time`);
missing.forEach((line) => console.log(`not measured: ${line}`));

const { jobs, dispose } = wholeJobs(shapeName(shape), shape);
console.log(tableHead(clocks.own));
const found = await runBench(gpu, {
  ceilings: sections.includes('ceilings'),
  jobs: [...kernelJobs(), ...jobs].filter(
    ({ group, name }) => sections.includes(group) && name.includes(options.filter),
  ),
  rounds,
  clocks,
  cpu,
  isSoftware: adapter.isSoftware,
  peers,
  onCeiling: (record) => console.log(ceilingLine(record)),
  onJob: (record) => jobLines(record).forEach((line) => console.log(line)),
  onFailure: ({ name, reason }) => console.log(`${name}: ${reason}`),
});
const record: BenchRecord = {
  kind: RECORD_KIND,
  version: RECORD_VERSION,
  date: new Date().toISOString(),
  adapter,
  environment: environmentRecord(),
  rounds,
  ...found,
  missing,
};
reachLines(reachTable(record)).forEach((line) => console.log(line));
// A part of the benches, or another shape, is recorded only where a place for it is named.
const complete = sections.length === SECTIONS.length && options.filter === '' && isGpt2Small(shape);
if (complete || options.out !== RESULTS)
  for (const file of writeResults(options.out, record)) console.log(`written to ${file}`);
dispose();
for (const peer of peers) await peer.close();
gpu.dispose();
process.exit(found.failures.some(({ name }) => !name.includes(' by ')) ? 1 : 0);
