// docs/performance.md: what a run of the benches says about whole jobs, in tables, with what is known about the reasons.
import { updateMarkdown } from '../dictionary-update/markdown.mjs';
import type { UpdateRecord } from '../dictionary-update/record.mjs';
import { markdownTable } from '../markdown-table.mjs';
import { diffsMarkdown } from './diffs-markdown.mjs';
import { adapterTitle, type BenchRecord, type JobRecord } from './record.mjs';
import { reachMarkdown } from './reach-markdown.mjs';
import { reachTable } from './reach.mjs';
import { limitOf, PURPOSES, sharesOf } from './shares.mjs';
import { digits, duration, percent, rate, times } from './text.mjs';

/** The page; with updates of dictionaries, where some were measured on the same adapter. */
export function performancePage(record: BenchRecord, updates: readonly UpdateRecord[] = []): string {
  const whole = record.jobs.filter(({ group }) => group === 'jobs');
  return `# Where the time goes

Made by \`npm run performance\` from \`bench/results/*/bench.json\`, which \`npm run bench -- --peers all\` writes: ${adapterTitle(record.adapter)},
${record.environment.runtime}, ${record.environment.cores} cores, ${record.date.slice(0, 10)}, medians of ${record.rounds} rounds in turns. A software adapter computes on the CPU: times are
CPU time over all threads, rates are per core. The machine was not alone on its host, whose speed changes by the minute: ratios within a
run hold, single times do not: rows compare by their ratios, which were taken in turns, and not by their rates. A share above 100 % says that the
machine was faster then than while the ceiling was measured. No GPU took part; what is said of GPUs below is thought through and not measured.

## The limit of each whole job

"At best": the job's operations at the ceiling of multiply-adds in registers, or, of a single token, its weights at the ceiling of reading,
both measured in the same run. Operations are those that the job needs.

${markdownTable(
  ['', 'time', 'at best', 'share', 'dispatches', 'submits', 'made anew'],
  whole.map((job) => limitRow(job, record)),
)}

"Made anew" are buffers, bind groups and pipelines of one run in the steady state.

## What it is spent on

Shares of the GPU's own time in one run, every dispatch timed in a pass of its own.

${markdownTable(
  ['', ...PURPOSES],
  whole.flatMap((job) => {
    const shares = sharesOf(job);
    return shares
      ? [[job.name, ...PURPOSES.map((purpose) => (shares.has(purpose) ? percent(shares.get(purpose)!) : ''))]]
      : [];
  }),
)}

The longest of each:

${whole
  .filter(({ profile }) => profile && profile.length > 0)
  .map(
    ({ name, profile }) =>
      `- ${name}: ${profile!
        .slice(0, 4)
        .map(({ label, count, milliseconds }) => `${label} ${duration(milliseconds)} (${count})`)
        .join(', ')}`,
  )
  .join('\n')}

${kernelsPart(record)}

${diffsMarkdown(record)}

${updates.length > 0 ? `${updateMarkdown(updates)}\n` : ''}## What is to be reached

${reachMarkdown(reachTable(record))}

${REASONS.replace('@LENT', record.environment.restsLent ? LENT : NOT_LENT)}`;
}

function limitRow(job: JobRecord, record: BenchRecord): string[] {
  const { name, time, counts } = job;
  const limit = limitOf(job, record);
  const made = counts && counts.buffersCreated + counts.bindGroupsCreated + counts.pipelinesCreated;
  return [
    name,
    duration(time.median),
    limit === undefined ? '' : duration(limit),
    limit === undefined ? '' : percent(limit / time.median),
    counts ? String(counts.dispatches) : '',
    counts ? String(counts.submits) : '',
    made === undefined ? '' : String(made),
  ];
}

/** The kernels that the jobs are made of, at their rates. */
function kernelsPart({ jobs, ceilings }: BenchRecord): string {
  const kernels = jobs.filter(({ group }) => group === 'kernels');
  const value = (id: string): string => {
    const found = ceilings.find((each) => each.id === id);
    return found ? `${digits(found.value)} ${found.unit}` : '–';
  };
  return `## The kernels

The adapter's ceilings: multiply-adds in registers ${value('fma')}, carried around a loop as a kernel's sums are ${value('fma-loop')}; copying
${value('copy-kernel')}, reading ${value('read-kernel')} by kernels, ${value('buffer-copy')} by the queue; a dispatch ${value('dispatch')}, in a submit of
its own ${value('submit')}; reading a few bytes back ${value('round-trip')}.

${markdownTable(
  ['', 'time', 'GFLOP/s', 'GB/s', 'of the ceiling', 'others take'],
  kernels.map(({ name, time, work, ceiling, beside }) => [
    name,
    duration(time.median),
    rate(work.flops, time.median),
    rate(work.bytes, time.median),
    ceiling ? `${percent(ceiling.share)} (${ceiling.id})` : '',
    beside.map((other) => `${times(other.ratio.median)} ${other.name}`).join(', '),
  ]),
)}`;
}

/** How fair the waiting is, of runs since peers rest as well, and of those before. */
const LENT = 'jax-js and tfjs have it, and are lent the same rests: their figures do not hold it.';
const NOT_LENT = `jax-js and tfjs have it, and **in the run above their figures hold it, which makes limn look better than it is**. The benches lend them limn's
rests now; runs of single jobs with them, on a busy machine, gave 5.0× of jax-js at 512³, 7.3× at 1024³, 1.3× for the product with one row, 5.6× for two of the 12 blocks, and 4.9× and 6.6×
of tfjs at 512³ and 1024³.`;

/** What was found by looking at machine code, counters and layouts; no figure of the run above. */
const REASONS = `## Why it is so

**lavapipe loads number by number.** Its machine code for a storage load takes every lane and every component on its own: compare with the
buffer's size, branch, fetch, insert. Nothing is saved by vec4, by neighbouring addresses or by an address that all lanes share. In the tile of
16 × 32 that limn's product of matrices had before, two thirds of the instructions were such loads, though each loaded number is used 16 or 32 times.
So what counts there is loads per operation: the tile became 32 × 32, workgroup memory (loaded the same way, behind barriers that switch stacks) is
not used, and a row's numbers are kept in registers between its passes. The ceiling of multiply-adds in registers is one that no product of
matrices can come near on this adapter: the loop that reaches it loads nothing.

**Sums are carried around loops by blending.** Under a loop's execution mask every sum is loaded, blended and stored once a round: that is the lower of
the two ceilings. Unrolling along k, which would spread it, makes LLVM spill more than it saves: twice as slow, tried from two to eight terms of four.

**Strides that are powers of two are slow on CPUs.** In [64, 768]·[768, 3072] a column of tiles walks 768 rows that lie 12 KiB apart: every row is another
page, and all fall into the same few sets of the cache. Tiles that share columns therefore run one after another. With b copied to panels of 32
columns beforehand the product takes 0.7 of the time (at 512³, 0.95), but the copy takes what that saves: 64 rows use each number too seldom.
A panel kept with the weight would take its memory once more, and is not made. Touching the rows of the next terms ahead of time gains nothing.

**Whoever waits must rest.** Dawn in Node asks the driver in every turn of the event loop and never sleeps; on two cores that was a third of all CPU
time, taken from the threads that compute, and three threads shared two cores. limn rests between those turns (\`@limn/gpu\`, "Node"): 12 products of
1024³ went from 2.28 to 1.35 s of CPU time, and on a busy machine from 3.5 to 1.4 s of wall time. onnxruntime waits by itself and has no such loop.
@LENT

**Narrow heads leave tiles empty.** Heads of width 16, as pocket's, fill half of a tile of 32 columns: two heads are made at once, each by half of a subgroup,
which is 1.25 times as fast forward and back. An update of pocket has 47 queries and keys, so that rows of scores are no
whole vec4s: copied to such rows they are read as others are, 1.5 times as fast as without. What remains there is reading and writing scores: 16 terms a product are too few to hide it.

**A token behind a cache reads every weight once**, 340 MB for GPT-2 small's blocks: its limit is reading, and on GPUs also the number of dispatches.

**On GPUs** nothing was measured here. A dispatch costs a few microseconds of the host's time; limn records a pass once, reuses plan, buffers and bind
groups, and submits it whole, so that a forward pass is one submit. \`npm run bench:pack\` and \`npm run bench:page\` are how to find out what a GPU
does; results are welcome under \`bench/results/\`.
`;
