// dictionariesPage: dictionaries over several sparsities as one HTML file: frontiers of every layer, and all numbers in a table each.
import { html } from '../markup.js';
import type { Markup } from '../markup.js';
import { numberTable } from '../number-table.js';
import { numberText, percentText, ratioText } from '../number-text.js';
import { pageShell } from '../page-shell.js';
import { provenanceFacts } from '../provenance.js';
import { maskSecrets } from '../secrets.js';
import { checkDictionaries, type DictionariesRecord, type DictionaryPoint } from './dictionaries-record.js';
import { summariseDictionaries } from './dictionaries-summary.js';
import { frontierPlot, markOf, sourceNames } from './frontier-plot.js';

/**
 * One self-contained HTML page about dictionaries over several sparsities. Deterministic: the same record gives the same bytes.
 * @throws ReportError as `checkDictionaries`
 */
export function dictionariesPage(given: DictionariesRecord): string {
  const record = maskSecrets(checkDictionaries(given));
  const { headline, sentences } = summariseDictionaries(record);
  const { layers, together = [], provenance } = record;
  return pageShell({
    title: record.title,
    skip: ['frontiers', 'Skip to the frontiers'],
    head: html`<div class="record-head">
      <p class="lede">${headline}</p>
      ${sentences.map((sentence) => html`<p>${sentence}</p>`)}
    </div>`,
    main: html`<section class="record dictionaries" id="frontiers" aria-labelledby="frontiers-title">
      <h2 id="frontiers-title">Sparsity against faithfulness</h2>
      ${legend(record)} ${layers.map((layer) => ofLayer(record, layer))}
      ${
        together.length > 0 &&
        html`<div class="part">
          <h3>Several layers at once</h3>
          <div class="scroll" tabindex="0" role="region" aria-label="Several layers at once">
            ${jointTable(together)}
          </div>
        </div>`
      }
      <div class="part">
        <h3>How to get this again</h3>
        ${provenanceFacts(provenance, [
          [
            'Measured',
            html`${numberText(record.predictions, 9)}
            predictions${record.corpus !== undefined && html` of <bdi>${record.corpus}</bdi>`}`,
          ],
        ])}
      </div>
    </section>`,
    version: provenance.versions['limn'],
    footer: html`L0 is the number of features, or neurons, that a token has. Recovered is (ablated − replaced) ÷
    (ablated − original), with the MLP’s mean output, or with zeros, in its place; 1 is nothing lost. FVU is the share
    of the variance of the MLP’s output that is not explained. KL is from the untouched model, in nats.`,
  });
}

function legend({ points }: DictionariesRecord): Markup {
  const sources = (Object.keys(sourceNames) as DictionaryPoint['source'][]).filter((source) =>
    points.some((point) => point.source === source),
  );
  const item = (content: Markup, name: string): Markup =>
    html`<li>
      <svg class="plot frontier" viewBox="-17 -10 34 20" width="34" height="20" aria-hidden="true">${content}</svg>
      ${name}
    </li>`;
  return html`<ul class="legend">
    ${sources.map((source) =>
      item(
        html`<g class="source ${source}"
          ><path class="curve" d="M-16 0H16" /><path class="mark" d="${markOf(source)}"
        /></g>`,
        sourceNames[source],
      ),
    )}
    ${points.some(({ recommended }) => recommended) && item(html`<circle class="best" r="8.5" />`, 'recommended')}
  </ul>`;
}

function ofLayer({ points }: DictionariesRecord, { layers: [layer = 0], cost, mean, zero }: Ablated): Markup {
  const own = points.filter((point) => point.layer === layer);
  return html`<figure class="part">
    <h3>Layer ${layer}</h3>
    <p class="note">
      The mean in its MLP’s place costs ${numberText(cost)} nats (KL ${numberText(mean.divergence)}); zeros leave a loss
      of ${numberText(zero.loss)}.
    </p>
    <div class="pairwise">
      ${frontierPlot({ layer, cost, points: own, measure: 'recovered' })}
      ${frontierPlot({ layer, cost, points: own, measure: 'explained' })}
    </div>
    <div class="scroll" tabindex="0" role="region" aria-label="Numbers of layer ${layer}">${pointTable(own)}</div>
  </figure>`;
}

type Ablated = DictionariesRecord['layers'][number];

const shareText = (share: number | null | undefined): string =>
  share === null || share === undefined ? '–' : percentText(share, 3);

function pointTable(points: readonly DictionaryPoint[]): Markup {
  const scored = points.some(({ interpretability }) => interpretability);
  const heads = [
    'Source',
    'Setting',
    'Seed',
    'L0',
    'FVU',
    'CE',
    'CE recovered',
    'of zeros’',
    'KL',
    'KL recovered',
    'Same top token',
    'Dead',
  ];
  const order = Object.keys(sourceNames);
  const rows = [...points].sort(
    (a, b) => order.indexOf(a.source) - order.indexOf(b.source) || a.l0 - b.l0 || (a.seed ?? 0) - (b.seed ?? 0),
  );
  return numberTable(
    [...heads, ...(scored ? ['F1 above chance'] : [])],
    rows.map((point) => ({
      texts: [
        `${sourceNames[point.source]}${point.recommended ? ' ◎' : ''}`,
        point.setting ?? point.name,
        point.seed === undefined ? '' : String(point.seed),
        numberText(point.l0),
        ratioText(point.fvu),
        numberText(point.loss, 4),
        shareText(point.recovered.mean.loss),
        shareText(point.recovered.zero.loss),
        numberText(point.divergence),
        shareText(point.recovered.mean.divergence),
        shareText(point.agreement),
        point.deadShare === undefined ? '' : shareText(point.deadShare),
        ...(scored ? [intervalText(point)] : []),
      ],
      now: point.recommended === true,
    })),
    2,
  );
}

/** '0.31 (0.28 to 0.34)'. */
function intervalText({ interpretability }: DictionaryPoint): string {
  if (!interpretability) return '';
  const { mean, low, high } = interpretability.aboveNull;
  return `${numberText(mean, 2)} (${numberText(low, 2)} to ${numberText(high, 2)})`;
}

function jointTable(together: NonNullable<DictionariesRecord['together']>): Markup {
  return numberTable(
    ['What', 'Layers', 'CE', 'CE recovered', 'KL', 'KL recovered', 'Same top token', 'Ablation costs'],
    together.map(({ name, loss, divergence, agreement, recovered, ablations }) => ({
      texts: [
        name,
        ablations.layers.join(', '),
        numberText(loss, 4),
        shareText(recovered.mean.loss),
        numberText(divergence),
        shareText(recovered.mean.divergence),
        shareText(agreement),
        numberText(ablations.cost),
      ],
    })),
    2,
  );
}
