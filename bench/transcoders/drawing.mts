// The frontier of every layer as an SVG document: KL with the MLP replaced against L0, of transcoders, SAEs and neurons.
import { scaleLog } from 'd3-scale';
import { line } from 'd3-shape';
import { OKABE_ITO, svgDocument, tenth } from '../svg-document.mjs';
import { layersOf, ofDictionaries, ofNeurons } from './cells.mjs';
import type { TranscoderStudy } from './study.mjs';

/** The drawing's file, beside the page. */
export const FRONTIERS = 'transcoders-frontiers.svg';

interface Point {
  readonly l0: number;
  readonly kl: number;
}

interface Curve {
  readonly name: string;
  readonly ink: string;
  /** Of a layer, a list for each seed. */
  readonly of: (layer: number) => readonly (readonly Point[])[];
}

const PANEL = { width: 280, height: 230, left: 48, right: 12, top: 30, floor: 186, head: 62 };

/** KL in nats, both axes in logarithms; a line a seed. */
export function frontiersDrawing(study: TranscoderStudy): string {
  const { sparsities, seeds } = study.settings;
  const bySeed = (kind: 'transcoder' | 'sae', layer: number): readonly (readonly Point[])[] =>
    seeds.map((_, seed) =>
      sparsities.map((k) => ({
        l0: ofDictionaries(study, kind, { layer, k }, ({ l0 }) => l0)[seed] as number,
        kl: ofDictionaries(study, kind, { layer, k }, ({ divergence }) => divergence)[seed] as number,
      })),
    );
  const curves: readonly Curve[] = [
    { name: 'transcoder', ink: OKABE_ITO.blue, of: (layer) => bySeed('transcoder', layer) },
    { name: 'SAE', ink: OKABE_ITO.vermilion, of: (layer) => bySeed('sae', layer) },
    {
      name: 'neurons',
      ink: OKABE_ITO.green,
      of: (layer) => [
        sparsities.map((k) => ({
          l0: ofNeurons(study, { layer, k }, ({ l0 }) => l0),
          kl: ofNeurons(study, { layer, k }, ({ divergence }) => divergence),
        })),
      ],
    },
  ];
  const layers = layersOf(study);
  const points = layers.flatMap((layer) => curves.flatMap(({ of }) => of(layer).flat()));
  const range = (values: readonly number[]): [number, number] => [Math.min(...values), Math.max(...values)];
  const across = scaleLog(range(points.map(({ l0 }) => l0)), [PANEL.left, PANEL.width - PANEL.right]);
  const upward = scaleLog(range(points.map(({ kl }) => kl)), [PANEL.floor, PANEL.top]);
  const decades = upward.ticks().filter((value) => Math.abs(Math.log10(value) - Math.round(Math.log10(value))) < 1e-9);
  const panels = layers.map((layer, i) => {
    const rules = decades.map(
      (value) =>
        `<path class="rule" d="M${PANEL.left} ${tenth(upward(value))}H${PANEL.width - PANEL.right}"/><text class="soft end" x="${PANEL.left - 5}" y="${tenth(upward(value)) + 4}">${value}</text>`,
    );
    const marks = sparsities.map(
      (k) => `<text class="soft mid" x="${tenth(across(k))}" y="${PANEL.floor + 16}">${k}</text>`,
    );
    const drawn = curves.flatMap(({ of, ink }) =>
      of(layer).map((seed) => {
        const path = line<Point>(
          ({ l0 }) => tenth(across(l0)),
          ({ kl }) => tenth(upward(kl)),
        )(seed);
        const dots = seed.map(
          ({ l0, kl }) => `<circle cx="${tenth(across(l0))}" cy="${tenth(upward(kl))}" r="2.5" fill="${ink}"/>`,
        );
        return `<path d="${path}" stroke="${ink}" stroke-width="1.5" fill="none"/>${dots.join('')}`;
      }),
    );
    return `<g transform="translate(${i * PANEL.width} ${PANEL.head})"><text x="${PANEL.left}" y="18">layer ${layer}</text>${rules.join('')}${marks.join('')}${drawn.join('')}<text class="soft mid" x="${(PANEL.left + PANEL.width - PANEL.right) / 2}" y="${PANEL.floor + 34}">L0</text></g>`;
  });
  const legend = curves.map(
    ({ name, ink }, i) =>
      `<path d="M${16 + i * 110} 46h18" stroke="${ink}" stroke-width="2"/><text x="${39 + i * 110}" y="50">${name}</text>`,
  );
  return svgDocument(
    layers.length * PANEL.width,
    PANEL.head + PANEL.height,
    `KL with one MLP replaced against L0, for ${layers.length} layers, ${sparsities.length} sparsities and ${seeds.length} seeds; the tables say the same in numbers.`,
    [
      '<text class="title" x="16" y="24">KL(model ‖ replaced) in nats against L0, both in logarithms; one line a seed</text>',
      ...legend,
      ...panels,
    ].join('\n'),
  );
}
