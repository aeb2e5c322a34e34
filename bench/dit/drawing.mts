// The data-scaling curve and the rank sweep as an SVG document: exact answers on the test diffs, a point for each seed.
import { scaleLinear, scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { mean } from '../markdown-table.mjs';
import { OKABE_ITO, svgDocument, tenth } from '../svg-document.mjs';
import type { DitStudy } from './study.mjs';
import { adaptersOf, baseTitle } from './summary.mjs';

/** The drawing's file, beside the page. */
export const CURVE = 'dit-curve.svg';

const PANEL = { width: 360, height: 250, left: 52, right: 16, top: 40, floor: 200 };

interface Series {
  readonly ink: string;
  readonly points: readonly { readonly x: number; readonly exact: readonly number[] }[];
}

/** Two panels side by side; every base model has its colour. */
export function curveDrawing(study: DitStudy): string {
  const { sizes, ranks, adapter } = study.plan;
  const inks = [OKABE_ITO.blue, OKABE_ITO.vermilion, OKABE_ITO.green];
  const seriesOf = (values: readonly number[], main: number | undefined, nameOf: (x: number) => string): Series[] =>
    study.bases.map(({ model }, i) => ({
      ink: inks[i % inks.length] as string,
      points: values
        .map((x) => ({ x, exact: exactOf(study, model, x === main ? 'main' : nameOf(x)) }))
        .filter(({ exact }) => exact.length > 0),
    }));
  const heading = `<text class="title" x="${PANEL.left}" y="20">exact answers</text>`;
  const panels = [
    panel(
      'diffs that the adapter learnt from',
      sizes,
      seriesOf(sizes, sizes.at(-1), (size) => `of ${size}`),
    ),
    panel(
      "the adapter's rank",
      ranks,
      seriesOf(ranks, adapter.rank, (rank) => `rank ${rank}`),
    ),
  ];
  const bodies = panels.map((body, i) => `<g transform="translate(${i * PANEL.width} 0)">${body}</g>`);
  const legend = study.bases.map(
    (base, i) =>
      `<circle cx="${PANEL.width + PANEL.left + 150 * i}" cy="16" r="3" fill="${inks[i % inks.length]}"/><text class="soft" x="${PANEL.width + PANEL.left + 150 * i + 8}" y="20">${baseTitle(base)}</text>`,
  );
  return svgDocument(
    2 * PANEL.width,
    PANEL.height,
    'Exact answers on test diffs against the number of diffs learnt from, and against the rank of the adapter',
    [heading, ...bodies, ...(study.bases.length > 1 ? legend : [])].join('\n'),
  );
}

/** Shares of exact answers of an adapter, one for each seed. */
const exactOf = (study: DitStudy, model: string, name: string): number[] =>
  adaptersOf(study, model, name).flatMap(({ topics }) => (topics['test'] ? [mean(topics['test'].exact)] : []));

function panel(title: string, values: readonly number[], series: readonly Series[]): string {
  const across = scaleLog([Math.min(...values), Math.max(...values)], [PANEL.left + 12, PANEL.width - PANEL.right]);
  const upward = scaleLinear([0, 1], [PANEL.floor, PANEL.top]);
  const rules = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<path class="rule" d="M${PANEL.left} ${tenth(upward(share))}H${PANEL.width - PANEL.right}"/><text class="soft end" x="${PANEL.left - 6}" y="${tenth(upward(share)) + 4}">${100 * share} %</text>`,
  );
  const marks = values.map(
    (value) => `<text class="soft mid" x="${tenth(across(value))}" y="${PANEL.floor + 18}">${value}</text>`,
  );
  const drawn = series.map(({ ink, points }) => {
    const path = line<Series['points'][number]>()
      .x(({ x }) => tenth(across(x)))
      .y(({ exact }) => tenth(upward(mean(exact))))([...points]);
    const dots = points.flatMap(({ x, exact }) =>
      exact.map((share) => `<circle cx="${tenth(across(x))}" cy="${tenth(upward(share))}" r="3" fill="${ink}"/>`),
    );
    return `<path d="${path ?? ''}" fill="none" stroke="${ink}" stroke-width="1.5"/>${dots.join('')}`;
  });
  return `${rules.join('')}${marks.join('')}${drawn.join('')}<text class="soft mid" x="${(PANEL.left + PANEL.width) / 2}" y="${PANEL.floor + 40}">${title}</text>`;
}
