// A preview of pairs as a table in plain text.
import type { PairsPreview, SideSummary } from './preview.js';

/** The preview as lines of text. */
export function previewTable({ pairs, metrics, accuracy, lengths }: PairsPreview): string {
  const percent = (share: number): string => (Number.isNaN(share) ? '–' : `${(100 * share).toFixed(1)} %`);
  const value = ({ mean, standardDeviation }: SideSummary): string =>
    `${mean.toPrecision(4)}${Number.isNaN(standardDeviation) ? '' : ` ± ${standardDeviation.toPrecision(2)}`}`;
  const rows = [
    ['', 'clean', 'corrupted', 'difference'],
    ...metrics.flatMap(({ name, clean, corrupted, denominator, better }) => [
      [`${name} (mean ± standard deviation)`, value(clean), value(corrupted), denominator.toPrecision(4)],
      [`${name} above 0`, percent(clean.positive), percent(corrupted.positive), ''],
      [`${name} better clean than corrupted`, percent(better), '', ''],
    ]),
    [`accuracy, of ${accuracy.of} pairs`, percent(accuracy.clean), percent(accuracy.corrupted), ''],
  ];
  const widths = [0, 1, 2, 3].map((c) => Math.max(...rows.map((row) => (row[c] ?? '').length)));
  return [
    `${pairs} ${pairs === 1 ? 'pair' : 'pairs'}; tokens: ${lengths.map((length) => `${length.pairs} × ${length.tokens}`).join(', ')}`,
    ...rows.map((row) =>
      row
        .map((cell, c) => (c === 0 ? cell.padEnd(widths[c] ?? 0) : cell.padStart(widths[c] ?? 0)))
        .join('  ')
        .trimEnd(),
    ),
    ...metrics.flatMap(({ name, warnings }) => warnings.map(({ code, text }) => `! ${name}: ${text} (${code})`)),
  ].join('\n');
}
