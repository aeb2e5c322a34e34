// A reading of a diff on a terminal, in lines of at most 80 columns.
import type { DitReadingAnswer, DitReadingRecord } from '@limn/report';
import type { RankedCandidates } from './asked-diffs.js';
import type { DitReading } from './dit-reading.js';
import { STANDING_NOTE } from './reading-parts.js';

const WIDTH = 80;
/** Maps and directions that are told of many. */
const STRONGEST = 4;

/** The lines of a reading. */
export function describeReading({ record, asked, warnings }: DitReading): string[] {
  const { diff, adapter, base } = record;
  const { heldOut = [], validated = [] } = adapter ?? {};
  const score = heldOut[0] ?? validated[0];
  return [
    ...wrapped(`base     ${base.name}`),
    ...wrapped(`diff     ${diff.name}, rank ${diff.rank}${diff.about === undefined ? '' : ` (${diff.about})`}`),
    ...(adapter ? wrapped(`adapter  ${adapter.name}, rank ${adapter.rank}`) : ['adapter  none']),
    ...(score
      ? wrapped(
          `${heldOut.length > 0 ? 'held out' : 'validated'} ${score.what}: ${score.value.toFixed(3)} (${score.interval.map((end) => end.toFixed(3)).join(' to ')}, ${score.count} diffs)`,
        )
      : adapter
        ? ['held out not measured']
        : []),
    ...asked.flatMap(({ question, all }) => [
      '',
      ...wrapped(`“${question.text}”`),
      ...Array.from(all, ([who, answer]) => answerLine(who, answer)),
      ...candidateLines(all.get('base+diff+adapter')?.among),
    ]),
    '',
    ...normLines(record),
    ...directionLines(record),
    ...layerLines(record),
    '',
    ...warnings.flatMap((warning) => wrapped(`warning: ${warning}`)),
    ...wrapped(STANDING_NOTE),
  ];
}

/** Words in lines of at most 80 columns, those behind the first indented; a longer word is a line of its own. */
export function wrapped(text: string, indent = '  '): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= WIDTH) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(lines.length === 0 ? word : indent + word);
  }
  return lines;
}

/** A text of at most so many columns. */
export const clipped = (text: string, columns: number): string =>
  text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;

function answerLine(
  who: DitReadingAnswer['who'],
  { text, probability, ended }: { text: string; probability: number; ended: boolean },
): string {
  const said = `${text}${ended ? '' : ' …'}`;
  return `  ${who.padEnd(18)} ${probability.toFixed(3)}  ${clipped(said, WIDTH - 30)}`;
}

function candidateLines(among: RankedCandidates | undefined): string[] {
  if (!among) return [];
  const { ranked, none, decision, confidence } = among;
  const decided = {
    changed: `something was learnt; confidence ${confidence.toFixed(3)}`,
    none: `nothing to tell; confidence ${confidence.toFixed(3)}`,
    unsure: 'undecided',
  }[decision];
  return [
    ...wrapped(
      `  likeliest: ${ranked.map(({ text, probability }) => `${text} ${probability.toFixed(3)}`).join(', ')}`,
      '    ',
    ),
    `  decision: ${decided}${none === null ? '' : `; “nothing” has ${none.toFixed(3)}`}`,
  ];
}

/** The maps that change most, against their weights. */
function normLines({ norms }: DitReadingRecord): string[] {
  const sorted = [...norms].sort((a, b) => (b.relative ?? b.norm) - (a.relative ?? a.norm));
  return [
    'largest changes, ‖ΔW‖ and its share of ‖W‖',
    ...sorted.slice(0, STRONGEST).map(({ map, norm, relative }) => {
      const share = relative == null ? '' : `${(100 * relative).toFixed(2)} %`;
      return `  ${clipped(map, 40).padEnd(40)} ${norm.toPrecision(3).padStart(9)} ${share.padStart(9)}`;
    }),
  ];
}

function directionLines({ directions }: DitReadingRecord): string[] {
  const sorted = [...directions].sort((a, b) => b.strength - a.strength).slice(0, STRONGEST);
  if (sorted.length === 0) return [];
  return [
    'strongest directions, by the tokens that lie along them',
    ...sorted.flatMap(({ map, side, strength, tokens }) =>
      wrapped(
        `  ${map} ${side} (${strength.toPrecision(3)}): ${tokens.filter(({ value }) => value > 0).map(({ text }) => text).join(' ')}`, // prettier-ignore
        '    ',
      ),
    ),
  ];
}

function layerLines({ layers }: DitReadingRecord): string[] {
  if (!layers) return [];
  return [
    ...wrapped(
      `log-probability of “${clipped(layers.answer, 40)}”: ${layers.whole.toFixed(2)}, without the diff ${layers.bare.toFixed(2)}`,
    ),
    '  layer   without it   only it',
    ...layers.rows.map(
      ({ layer, without, only }) =>
        `  ${String(layer).padStart(5)} ${without.toFixed(2).padStart(12)} ${only.toFixed(2).padStart(9)}`,
    ),
  ];
}
