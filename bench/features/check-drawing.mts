// The causal check: what graphs predict of the answer when a feature is negated, against what happens, with attention held and as it is.
import { scaleLinear } from 'd3-scale';
import { OKABE_ITO, tenth } from '../svg-document.mjs';
import { caption, document, INK } from './drawing-parts.mjs';
import type { CheckPoint } from './study.mjs';

const PANEL = { width: 380, height: 330, left: 46, right: 16, top: 34, floor: 280 };
const HEAD = 66;

/** The document: both panels have one scale. */
export function checkDrawing(points: readonly CheckPoint[], about: string): string {
  const most = Math.max(...points.flatMap(([, ...values]) => values.map(Math.abs))) * 1.05;
  const strongest = points.filter(([group]) => group === 0).length;
  const body = [
    caption(about),
    `<circle cx="22" cy="46" r="4" fill="${INK.first}"/><text x="32" y="50" font-size="11">the most influential (${strongest})</text><circle cx="212" cy="46" r="4" fill="none" stroke="${OKABE_ITO.orange}" stroke-width="1.6"/><text x="222" y="50" font-size="11">random ones as active (${points.length - strongest})</text>`,
    ...([2, 3] as const).map(
      (column, i) =>
        `<g transform="translate(${i * PANEL.width} ${HEAD})">${panel(points, column, most, i === 0 ? 'attention held' : 'the model as it is')}</g>`,
    ),
  ];
  return document(
    2 * PANEL.width,
    HEAD + PANEL.height,
    `${about}: predicted and measured changes of the answer.`,
    body.join('\n'),
  );
}

function panel(points: readonly CheckPoint[], column: 2 | 3, most: number, heading: string): string {
  const across = scaleLinear([-most, most], [PANEL.left, PANEL.width - PANEL.right]);
  const upward = scaleLinear([-most, most], [PANEL.floor, PANEL.top]);
  const ticks = across.ticks(5);
  const axes = ticks.map(
    (tick) =>
      `<path class="rule" d="M${PANEL.left} ${tenth(upward(tick))}H${PANEL.width - PANEL.right}"/><text class="soft end" x="${PANEL.left - 6}" y="${tenth(upward(tick) + 4)}">${tickText(tick)}</text><text class="soft mid" x="${tenth(across(tick))}" y="${PANEL.floor + 16}">${tickText(tick)}</text>`,
  );
  const dots = [...points]
    .sort((a, b) => a[0] - b[0])
    .map((point) => {
      const place = `cx="${tenth(across(point[1]))}" cy="${tenth(upward(point[column]))}"`;
      return point[0] === 0
        ? `<circle ${place} r="3.4" fill="${INK.first}" fill-opacity=".75"/>`
        : `<circle ${place} r="3" fill="none" stroke="${OKABE_ITO.orange}" stroke-width="1.4"/>`;
    });
  return `<text x="${PANEL.left}" y="${PANEL.top - 12}" font-weight="600">${heading}</text>${axes.join('')}<path class="level" d="M${tenth(across(-most))} ${tenth(upward(-most))}L${tenth(across(most))} ${tenth(upward(most))}"/>${dots.join('')}<text class="soft mid" x="${(PANEL.left + PANEL.width) / 2}" y="${PANEL.floor + 34}" font-size="11">predicted change of the answers’ mean logit difference</text><text class="soft mid" transform="translate(12 ${(PANEL.top + PANEL.floor) / 2}) rotate(-90)" font-size="11">measured</text>`;
}

const tickText = (tick: number): string => String(tick).replace('-', '−');
