// What the commands found, as it stands in the study's page and on the adapter's card.
import type { MeanFigure } from '@limn/dit';
import { markdownTable, percent, shown } from '../markdown-table.mjs';
import type { CommandFinding } from './study.mjs';
import { percentText } from './summary.mjs';

/** What the table's second row is. */
export const SEARCH =
  'Search: the likeliest five topics are tried on base + diff without a code, and ranked again by how much likelier their words became.';

const optional = (figure: MeanFigure | null): string => (figure ? percentText(figure) : '–');

/** The adapter, the search, and the controls. */
export const commandTable = ({ evaluated }: CommandFinding): string =>
  markdownTable(
    ['test diffs', 'exact', 'first of 800', 'reciprocal rank', 'something said of nothing'],
    evaluated.map(({ name, exact, top1, mrr, alarms }) => [
      name,
      percentText(exact),
      optional(top1),
      mrr ? shown(mrr.mean, 3) : '–',
      optional(alarms),
    ]),
  );

/** The area under the audit's curve, and the threshold. */
export function auditSentence({ audit }: CommandFinding): string {
  const { changed, clean, area, interval, threshold, against } = audit;
  const between = interval ? ` (${interval.map((end) => shown(end, 3)).join(' to ')})` : '';
  const found = threshold
    ? ` At the threshold that validation diffs set, ${percent(threshold.hits)} of the changed ones are found, with ${percent(threshold.alarms)} of the clean ones.`
    : '';
  const kinds = Object.entries(against).map(
    ([kind, own]) =>
      `against ${own.clean} of ${kind} ${shown(own.area, 3)}, and ${shown(own.byNorm, 3)} by the size of the change alone, which asks no model`,
  );
  return `\`limn dit audit\` of ${changed} changed diffs among ${clean} clean ones, ranked by 1 − p(none): area under the curve ${shown(area, 3)}${between}${kinds.map((each) => `; ${each}`).join('')}.${found}`;
}
