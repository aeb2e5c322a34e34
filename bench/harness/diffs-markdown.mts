// The part of docs/performance.md about weight diffs trained at once: tokens a second beside one diff on as many. Runs in Node and in browsers.
import { markdownTable } from '../markdown-table.mjs';
import { ONE_DIFF } from './diff-job-names.mjs';
import type { BenchRecord } from './record.mjs';
import type { Timing } from './statistics.mjs';
import { digits, duration, times } from './text.mjs';

/** What the run says of `trainDiffs`; where it has none of those jobs, that. */
export function diffsMarkdown({ jobs }: Pick<BenchRecord, 'jobs'>): string {
  const rows = jobs.flatMap(({ name, work, time, beside, counts }) => {
    const one = beside.find((other) => other.name === ONE_DIFF);
    const { tokens } = work;
    if (!one || tokens === undefined) return [];
    const perSecond = ({ median }: Timing): string => digits((1e3 * tokens) / median);
    return [
      [
        name,
        tokens.toLocaleString('en'),
        duration(time.median),
        perSecond(time),
        perSecond(one.time),
        times(1 / one.ratio.median),
        counts ? digits(counts.bytesPeak / 2 ** 20) : '',
      ],
    ];
  });
  const table = markdownTable(
    ['', 'tokens', 'time', 'tokens/s, at once', 'tokens/s, one diff', 'time over one', 'MiB'],
    rows,
  );
  return `## Weight diffs trained at once

Whole calls of \`trainDiffs\` (\`npm run bench -- --only jobs --filter 'diffs trained'\`): the plan, first numbers, log-probabilities of the bare model for
rows that never come again, passes forward and back, Adam, losses and factors read back; 64 diffs of rank 1 on every linear map, in turns with one diff of rank 1
on the same rows. "MiB" is the most that GPU buffers took, the model's among them.

${rows.length > 0 ? table : 'The run above is older than these jobs: not measured.'}

${REASONS}`;
}

/** What the code tells of it; no figure of the run above. */
const REASONS = `All diffs share every product with the model's weights; what is each diff's own are its two narrow products and its sums, which read and write activations
once for a multiply-add or two. Whether rows are one diff's or many's, they are as many numbers: only the factors differ, of which 64 diffs have 64 times as many, and a
row reads no more of them. Dispatches are as many for any number of diffs. Factors, slopes and both moments are 16 bytes a number of a diff.
A row of the bare model that comes again costs nothing; one that does not, half of a pass forward and back.`;
