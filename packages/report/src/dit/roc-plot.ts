// How changed diffs are told from clean ones at every threshold: shares found against shares called so wrongly.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberTable } from '../number-table.js';
import { numberText, percentText } from '../number-text.js';
import { smallPlot } from '../small-plot.js';
import type { DitAuditRoc } from './audit-record.js';

/** Rows of the table, spread over the points of the curve. */
const mostRows = 40;
const ticks = [0, 0.25, 0.5, 0.75, 1];

export function rocPlot({ what, points, area, interval, positives, negatives, chosen }: DitAuditRoc): Markup {
  const at = chosen === undefined ? undefined : points[chosen];
  const size = `area ${numberText(area)}${interval ? ` (${numberText(interval[0])} to ${numberText(interval[1])})` : ''}`;
  return smallPlot({
    kind: 'roc',
    head: `ROC, ${what}`,
    under: size,
    label: `Of ${numberText(positives, 9)} changed, the share found, against the share of ${numberText(negatives, 9)} others called so: ${size}${
      at ? `; at the threshold in use ${percentText(at.truePositives)} and ${percentText(at.falsePositives)}` : ''
    }`,
    across: { ends: [0, 1], name: `false positives, of ${numberText(negatives, 9)}`, ticks },
    upward: { ends: [0, 1], ticks },
    height: 388,
    inside: ({ x, y }) =>
      html`<g class="threshold"><path d="M${x(0)} ${y(0)}L${x(1)} ${y(1)}" /></g>
        ${points.length > 0 && html`<path class="band" d="M${through(points, x, y)}V${y(0)}H${x(points[0]?.falsePositives ?? 0)}Z" /><path class="curve" d="M${through(points, x, y)}" />`}
        ${
          at &&
          html`<g class="series now"
            ><circle cx="${x(at.falsePositives)}" cy="${y(at.truePositives)}" r="5.5"
              ><title>${percentText(at.truePositives)} found, ${percentText(at.falsePositives)} wrongly</title></circle
            ></g
          >`
        }`,
  });
}

/** Straight between points: ties are worth half, as in the area. */
const through = (points: DitAuditRoc['points'], x: (share: number) => number, y: (share: number) => number): string =>
  points.map(({ falsePositives, truePositives }) => `${x(falsePositives)} ${y(truePositives)}`).join('L');

export function rocTable({ points, chosen }: DitAuditRoc): Markup {
  const every = Math.max(1, Math.ceil(points.length / mostRows));
  const kept = points.flatMap((point, i) =>
    i % every === 0 || i === points.length - 1 || i === chosen ? [{ point, now: i === chosen }] : [],
  );
  const thresholds = points.some(({ threshold }) => threshold !== undefined);
  return numberTable(
    [...(thresholds ? ['Threshold'] : []), 'Found', 'Called so wrongly'],
    kept.map(({ point: { threshold, truePositives, falsePositives }, now }) => ({
      texts: [
        ...(thresholds ? [numberText(threshold)] : []),
        percentText(truePositives, 3),
        percentText(falsePositives, 3),
      ],
      now,
    })),
  );
}
