// Figures of an adapter in lines of at most 80 columns.
import type { MeanFigure } from '@limn/dit';
import type { AnswerFigures } from './measured-adapter.js';

/** A line for the group, and one below it for each figure that it has. */
export function describeFigures(figures: readonly AnswerFigures[]): string[] {
  return figures.flatMap(({ question, kind, diffs, exact, top1, top5, mrr, grade, slots, alarms }) => [
    `${question}, ${kind}: ${diffs} ${diffs === 1 ? 'model' : 'models'}`,
    line('exact answer', exact, true),
    ...(top1 ? [line('first of the candidates', top1, true)] : []),
    ...(top5 ? [line('among the first five', top5, true)] : []),
    ...(mrr ? [line('mean reciprocal rank', mrr, false)] : []),
    ...(grade ? [line('grade, 1 to 5', grade, false)] : []),
    ...(slots ? [line('F1 of the headline', slots, false)] : []),
    ...(alarms ? [line('something is said to be changed', alarms, true)] : []),
  ]);
}

function line(name: string, { mean, interval }: MeanFigure, isShare: boolean): string {
  const shown = (value: number): string => (isShare ? (100 * value).toFixed(1) : value.toFixed(3));
  const between = interval ? ` (${shown(interval[0])} to ${shown(interval[1])})` : '';
  return `  ${name.padEnd(32)} ${shown(mean).padStart(6)}${isShare ? ' %' : '  '}${between}`;
}
