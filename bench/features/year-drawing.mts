// Features of greater-than by year: what they are after every start, which years they raise, and what the weights alone say that they read.
import { scaleLinear } from 'd3-scale';
import { area, line } from 'd3-shape';
import { OKABE_ITO, tenth } from '../svg-document.mjs';
import { caption, document } from './drawing-parts.mjs';
import type { YearCurves } from './study.mjs';

const PANEL = { width: 370, height: 150, left: 20, right: 14, top: 26, floor: 120 };
const HEAD = 66;

/** The document. Each curve is on a scale of its own: shapes are compared, and 0 is the line in the middle. */
export function yearDrawing({ features, starts }: YearCurves, about: string): string {
  const rows = Math.ceil(features.length / 2);
  const legend = [
    [OKABE_ITO.sky, 'activation after a start of …', ''],
    [OKABE_ITO.vermilion, 'logit it gives to …', ''],
    ['var(--ink)', 'what weights alone say it reads of …', 'stroke-dasharray="3 3"'],
  ].map(
    ([ink, text, dash], i) =>
      `<path stroke="${ink}" stroke-width="${i === 0 ? 7 : 2}" ${dash} d="M${16 + i * 210} 46h22"/><text x="${44 + i * 210}" y="50" font-size="11">${text}</text>`,
  );
  const panels = features.map(
    (feature, i) =>
      `<g transform="translate(${(i % 2) * PANEL.width} ${HEAD + Math.floor(i / 2) * PANEL.height})">${panel(feature, starts)}</g>`,
  );
  return document(
    2 * PANEL.width,
    HEAD + rows * PANEL.height,
    `${about}: activation by start year, logits of the years, and years read, for ${features.length} features.`,
    [caption(about), ...legend, ...panels].join('\n'),
  );
}

function panel(
  { layer, feature, role, activation, writes, reads, correlation }: YearCurves['features'][number],
  starts: readonly number[],
): string {
  const across = scaleLinear([0, 99], [PANEL.left, PANEL.width - PANEL.right]);
  /** Symmetric around 0, whatever the largest. */
  const upward = (values: readonly number[]) =>
    scaleLinear([-1, 1], [PANEL.floor, PANEL.top]).domain(
      [-1, 1].map((side) => side * Math.max(1e-9, ...values.map(Math.abs))),
    );
  const [up, written] = [upward(activation), upward(writes)];
  const shape = area<number>()
    .x((_, i) => tenth(across(starts[i] as number)))
    .y0(tenth(up(0)))
    .y1((value) => tenth(up(value)))([...activation]);
  const curve = (values: readonly number[], y: (value: number) => number): string | null =>
    line<number>(
      (_, i) => tenth(across(i)),
      (value) => tenth(y(value)),
    )([...values]);
  const centred = reads.map((value) => value - reads.reduce((a, b) => a + b, 0) / reads.length);
  const marks = [0, 20, 40, 60, 80, 99].map(
    (year) =>
      `<text class="soft mid" x="${tenth(across(year))}" y="${PANEL.floor + 15}" font-size="10">${String(year).padStart(2, '0')}</text>`,
  );
  const said = correlation === null ? '' : `, r = ${correlation.toFixed(2).replace('-', '−')}`;
  return `<text x="${PANEL.left}" y="${PANEL.top - 10}" font-size="11" font-weight="600">tc${layer}[${feature}] at the ${role === 'last' ? 'last token' : role}${said}</text><path d="${shape ?? ''}" fill="${OKABE_ITO.sky}" fill-opacity=".55"/><path class="rule" d="M${PANEL.left} ${tenth(up(0))}H${PANEL.width - PANEL.right}"/><path fill="none" stroke="var(--ink)" stroke-width="1.2" stroke-dasharray="3 3" d="${curve(centred, upward(centred)) ?? ''}"/><path fill="none" stroke="${OKABE_ITO.vermilion}" stroke-width="1.8" d="${curve(writes, written) ?? ''}"/>${marks.join('')}`;
}
