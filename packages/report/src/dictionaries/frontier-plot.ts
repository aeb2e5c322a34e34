// The frontier of one layer: L0 across, and upwards what is recovered of the loss, or what is explained of the output; one mark a dictionary.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberText, percentText } from '../number-text.js';
import { curveOf, levelLine, smallPlot, type PlotPlace } from '../small-plot.js';
import type { DictionaryPoint } from './dictionaries-record.js';
import { leastCost, measureOf, type Measure } from './equal-sparsity.js';

/** Names of sources in the order in which they are drawn and told. */
export const sourceNames: Readonly<Record<DictionaryPoint['source'], string>> = {
  transcoder: 'transcoder',
  'skip-transcoder': 'skip transcoder',
  'cross-layer-transcoder': 'cross-layer transcoder',
  sae: 'SAE on MLP out',
  neurons: 'neurons',
};

interface Frontier {
  readonly layer: number;
  /** Nats that the mean in the MLP's place costs. */
  readonly cost: number;
  readonly points: readonly DictionaryPoint[];
  readonly measure: Measure;
}

export function frontierPlot({ layer, cost, points, measure }: Frontier): Markup {
  const known = points.flatMap((point) => {
    const value = measureOf(point, measure, cost);
    return value === null || point.l0 <= 0 ? [] : [{ ...point, value }];
  });
  const head = measure === 'explained' ? '1 − FVU' : cost >= leastCost ? 'CE recovered' : 'KL recovered';
  if (!known.length) return html`<p class="note">Layer ${layer}: no point has a ${head}.</p>`;
  const values = known.map(({ value }) => value);
  const l0s = known.map(({ l0 }) => l0);
  // An axis that followed what is worse than the ablation would flatten what lies above it.
  const top = Math.max(...values, measure === 'recovered' ? 1 : -Infinity);
  const least = Math.min(top - 0.1, Math.max(-0.5, Math.min(...values)));
  const room = (top - least) * 0.08;
  // Few sparsities close to one another still stand on an axis with numbers.
  const wider = Math.max(1.15, 2 / Math.sqrt(Math.max(...l0s) / Math.min(...l0s)));
  return smallPlot({
    kind: 'frontier',
    head: `Layer ${layer}: ${head}`,
    under: measure === 'explained' ? 'of the MLP’s output' : `its ablation costs ${numberText(cost)} nats`,
    label: `${head} against L0 in layer ${layer}, ${known.length} points; the numbers are in the table`,
    across: { ends: [Math.min(...l0s) / wider, Math.max(...l0s) * wider], name: 'L0, features a token', log: true },
    upward: { ends: [least - room, top + 1.5 * room] },
    height: 270,
    inside: (place) =>
      html`${measure === 'recovered' && levelLine({ value: 1, name: 'the model', side: 'start' }, place)}
      ${[...new Set(known.map(({ source, seed }) => `${source} ${seed ?? ''}`))].map((key) => {
        const own = known.filter(({ source, seed }) => `${source} ${seed ?? ''}` === key).sort((a, b) => a.l0 - b.l0);
        const [first] = own;
        return html`<g class="source ${first?.source}"
          ><path
            class="curve"
            d="${curveOf(
              own.map(({ l0, value }) => [l0, value]),
              place,
            )}"
          />${own.map((point) => mark(point, point.value, place))}</g
        >`;
      })}`,
  });
}

function mark(point: DictionaryPoint, value: number, { x, y }: PlotPlace): Markup {
  return html`<g transform="translate(${x(point.l0)} ${y(value)})"
    >${point.recommended === true && html`<circle class="best" r="8.5" />`}<path
      class="mark"
      d="${markOf(point.source)}"
    /><title>${point.name}: L0 ${numberText(point.l0)}, ${percentText(value, 3)}</title></g
  >`;
}

/** A shape for each source, around (0, 0). */
export function markOf(source: DictionaryPoint['source']): string {
  switch (source) {
    case 'sae':
      return 'M-4 -4H4V4H-4Z';
    case 'neurons':
      return 'M0 -5L5 4H-5Z';
    case 'skip-transcoder':
      return 'M0 -5.4L5.4 0L0 5.4L-5.4 0Z';
    case 'cross-layer-transcoder':
      return 'M-5 -1.6H-1.6V-5H1.6V-1.6H5V1.6H1.6V5H-1.6V1.6H-5Z';
    default:
      return 'M4.5 0A4.5 4.5 0 1 1 -4.5 0A4.5 4.5 0 1 1 4.5 0Z';
  }
}
