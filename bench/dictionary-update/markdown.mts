// The part of docs/performance.md about training updates of dictionaries.
import { digits, duration, percent, times } from '../harness/text.mjs';
import { markdownTable } from '../markdown-table.mjs';
import type { UpdateRecord } from './record.mjs';

const FORMS = { 'top-k': 'TopK with AuxK', relu: 'ReLU with L1' } as const;
const LONGEST = 6;

const mebibytes = (bytes: number): string => digits(bytes / 2 ** 20);

/** Tables of the stored updates, and what their time is spent on. */
export function updateMarkdown(records: readonly UpdateRecord[]): string {
  const formOf = ({ form, sizes: { width, features, k } }: UpdateRecord): string =>
    `${FORMS[form]}, ${width} → ${features.toLocaleString('en')} → ${width}${form === 'top-k' ? `, k = ${k}` : ''}`;
  return `## A training update of a dictionary

One layer's transcoder at GPT-2 small's width, at WebGPU's default limits (\`npm run dictionary-update\`): loss, gradients of everything, rows of the decoder
kept at length 1, Adam. Medians of ${[...new Set(records.map(({ rounds }) => rounds))].join(' and ')} rounds in turns with PyTorch making the same updates; before that losses are compared with float64
and with one another, to 10⁻⁴ of them. "Ratio" is limn's tokens/s over the other's, round by round.

${markdownTable(
  ['', 'by', 'tokens', 'wall', 'CPU time', 'tokens/s', 'ratio, wall', 'ratio, CPU time'],
  records.flatMap((record) =>
    record.by.map(({ name, wall, cpu, tokensPerSecond, ratio }) => [
      formOf(record),
      name,
      record.sizes.tokens.toLocaleString('en'),
      duration(wall.median),
      duration(cpu.median),
      digits(tokensPerSecond.wall),
      ratio ? times(ratio.wall.median) : '',
      ratio ? times(ratio.cpu.median) : '',
    ]),
  ),
  2,
)}

Bytes in MiB: planned before anything is allocated, and the most that GPU buffers took at one time.

${markdownTable(
  ['', 'weights', "Adam's moments", 'rows', 'the step', 'at best', 'planned', 'allocated', 'dispatches', 'made anew'],
  records.map((record) => {
    const { bytes, dispatches, made } = record;
    const { weights, state, rows, step, stepBound, planned, allocated } = bytes;
    return [
      formOf(record),
      ...[weights, state, rows, step, stepBound, planned, allocated].map(mebibytes),
      String(dispatches),
      String(made.buffers + made.bindGroups + made.pipelines),
    ];
  }),
)}

${records
  .filter(({ profile }) => profile !== undefined)
  .map((record) => {
    const profile = record.profile ?? [];
    const whole = profile.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    const parts = profile
      .slice(0, LONGEST)
      .map(({ label, milliseconds }) => `${label} ${percent(milliseconds / whole)}`);
    return `- ${formOf(record)}: ${parts.join(', ')}`;
  })
  .join('\n')}

${REASONS}
`;
}

/** What profiles and kernels tell of it; no figure of the runs above. */
const REASONS = `The encoder's product is made once, for the features that fire and for AuxK's, at the rate of other products (\`npx tsx --conditions limn-source bench/matmul.mts dictionary\`).
On lavapipe PyTorch is faster for two reasons: its product runs through the CPU's widest vector units, lavapipe's through code that loads number by number;
and AuxK has half the width of entries for each token, twelve times k here. \`sparse_decode4\` and \`sparse_feature_sums4\` gather a number for every
multiply-add, from rows that no cache near the core holds; a CPU's lanes therefore read long runs of a row, and vec4s spare the arithmetic of addresses.
\`sparse_dot4\` reads a row of the gradient once for four entries. GPUs were not measured.`;
