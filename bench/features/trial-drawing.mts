// What is lost and kept against the number of units, by ranking, for every set of pairs of a case.
import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { OKABE_ITO, tenth } from '../svg-document.mjs';
import { caption, document, INK } from './drawing-parts.mjs';
import { RANKINGS, type Ranking, type SizeFinding, type TrialFinding } from './study.mjs';

const PANEL = { width: 380, height: 230, left: 44, right: 14, top: 30, floor: 188 };
const HEAD = 84;

const STROKES: Readonly<Record<Ranking, string>> = {
  graph: `stroke="${INK.first}" stroke-width="3"`,
  attribution: `stroke="${OKABE_ITO.orange}" stroke-width="1.6"`,
  variance: `stroke="${OKABE_ITO.purple}" stroke-width="1.6"`,
  gradient: `stroke="${OKABE_ITO.green}" stroke-width="1.6"`,
  change: `stroke="${OKABE_ITO.sky}" stroke-width="1.6" stroke-dasharray="8 3 2 3"`,
  'random, as active': 'stroke="var(--soft)" stroke-width="1.6" stroke-dasharray="2 3"',
  'random, as changing': 'stroke="var(--ink)" stroke-width="1.6" stroke-dasharray="6 3"',
  neurons: `stroke="${OKABE_ITO.vermilion}" stroke-width="1.6"`,
};

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

/** The document: a row of two panels for every set of pairs. */
export function trialDrawing(trials: readonly TrialFinding[], about: string): string {
  const names = RANKINGS.filter((ranking) => trials.some(({ curves }) => curves[ranking]));
  const width = 2 * PANEL.width + 16;
  const legend = names.map((ranking, i) => {
    const [x, y] = [16 + (i % 4) * 186, 48 + Math.floor(i / 4) * 18];
    return `<path fill="none" ${STROKES[ranking]} d="M${x} ${y}h22"/><text x="${x + 28}" y="${y + 4}" font-size="11">${ranking}</text>`;
  });
  const panels = trials.flatMap((trial, row) =>
    (['lost', 'kept'] as const).map((what, column) => {
      const heading =
        what === 'lost' ? `${trial.name}: lost when these are set` : `${trial.name}: kept when all others are`;
      return `<g transform="translate(${column * PANEL.width} ${HEAD + row * PANEL.height})">${panel(trial, names, what, heading)}</g>`;
    }),
  );
  return document(
    width,
    HEAD + trials.length * PANEL.height,
    `${about}: shares of the metric lost and kept against the number of features or neurons, by ranking; the table says the same in numbers.`,
    [caption(about), ...legend, ...panels].join('\n'),
  );
}

function panel(trial: TrialFinding, names: readonly Ranking[], what: 'lost' | 'kept', heading: string): string {
  const sizes = (trial.curves.graph ?? []).map(({ n }) => n);
  const across = scaleLog([sizes[0] ?? 1, sizes.at(-1) ?? 2], [PANEL.left, PANEL.width - PANEL.right]).base(2);
  const upward = scaleLinear([-0.1, 1.15], [PANEL.floor, PANEL.top]).clamp(true);
  const levels = [0, 0.5, 1].map(
    (share) =>
      `<path class="rule" d="M${PANEL.left} ${tenth(upward(share))}H${PANEL.width - PANEL.right}"/><text class="soft end" x="${PANEL.left - 6}" y="${tenth(upward(share) + 4)}">${share}</text>`,
  );
  const marks = sizes.map((n) => `<text class="soft mid" x="${tenth(across(n))}" y="${PANEL.floor + 16}">${n}</text>`);
  const curves = names.map((ranking) => {
    const found = trial.curves[ranking] ?? [];
    const drawn = line<SizeFinding>(
      ({ n }) => tenth(across(n)),
      (each) => tenth(upward(mean(each[what]))),
    )(found as SizeFinding[]);
    const spread = found
      .filter((each) => each[what].length > 1)
      .map((each) => {
        const [low, high] = [Math.min(...each[what]), Math.max(...each[what])];
        return `<path ${STROKES[ranking]} stroke-opacity=".45" d="M${tenth(across(each.n))} ${tenth(upward(low))}V${tenth(upward(high))}"/>`;
      });
    return `${spread.join('')}<path fill="none" ${STROKES[ranking]} d="${drawn ?? ''}"/>`;
  });
  return `<text x="${PANEL.left}" y="${PANEL.top - 12}" font-size="12" font-weight="600">${heading}</text>${levels.join('')}${marks.join('')}<text class="soft mid" x="${(PANEL.left + PANEL.width) / 2}" y="${PANEL.floor + 32}" font-size="11">units, log scale</text>${curves.reverse().join('')}`;
}
