// What dropping one edge or node does to the circuit, in words and figures: written into the page, and said by its script.
import type { DropRecord } from './circuit-record.js';
import type { LiveKnockOut } from './live-data.js';
import { numberText, ratioText } from './number-text.js';

/** What a verdict means. */
export const verdictWords: Readonly<Record<DropRecord['verdict'], string>> = {
  needed: 'Needed: the circuit does worse without it.',
  idle: 'Idle: dropping it alone changes nothing.',
  harmful: 'Harmful: the circuit does better without it.',
  unknown: 'Unknown: the metric without it is no finite number.',
};

/** Faithfulness, metric and edges: with it, without it, and the change where there is one. */
export function dropFigures(
  circuit: Omit<LiveKnockOut, 'drops'>,
  drop: DropRecord,
): readonly (readonly [name: string, text: string])[] {
  return [
    [
      'faithfulness',
      `${ratioText(circuit.faithfulness)} → ${changed(drop.faithfulness, drop.faithfulnessChange, ratioText)}`,
    ],
    ['metric', `${numberText(circuit.value)} → ${changed(drop.value, drop.change, numberText)}`],
    ['edges', `${numberText(circuit.kept, 9)} → ${numberText(drop.kept, 9)}`],
  ];
}

function changed(value: number | null, change: number | null, text: (value: number | null) => string): string {
  return `${text(value)} (${signed(change, text)})`;
}

/** '+0.02', '−0.2', '0', '–'. */
export const signed = (change: number | null, text: (value: number | null) => string): string =>
  `${change !== null && change > 0 && text(change) !== '0' ? '+' : ''}${text(change)}`;
