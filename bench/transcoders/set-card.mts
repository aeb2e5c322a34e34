// What the card of pocket's transcoders says beside what `limn transcode train` writes: what was asked of the set, and SAEs and neurons at its sparsity.
import type { DictionariesRecord, DictionaryPoint } from '@limn/report';
import { markdownTable, mean, percent, shown } from '../markdown-table.mjs';
import { neuronScores, ofDictionaries, ofNeurons, scoresOf } from './cells.mjs';
import { claims } from './markdown.mjs';
import type { TranscoderStudy } from './study.mjs';

/** What is asked of a layer whose mean-ablation costs at least so many nats. */
const ASKED = { cost: 0.2, recovered: 0.95, l0: 16, dead: 0.2, expansion: 8 } as const;

/** The block in Markdown. */
export function setCard(record: DictionariesRecord, saes: DictionariesRecord, study: TranscoderStudy): string {
  const points = record.points.filter(({ source }) => source === 'transcoder');
  const k = Math.max(...study.settings.sparsities.filter((each) => each <= ASKED.l0));
  return `## Against what was asked

Of layers whose mean-ablation costs at least ${ASKED.cost} nats: CE recovered ≥ ${ASKED.recovered} at L0 ≤ ${ASKED.l0}, dead features ≤ ${100 * ASKED.dead} %, width ≥ ${ASKED.expansion}·d.

${markdownTable(
  ['layer', 'ablation costs', 'L0', 'CE recovered', 'dead', 'width', 'met'],
  points.map((point) => askedRow(record, study, point)),
)}

## Beside SAEs that saw as much

SAEs of the same k, width, rate and seed, trained on the same tokens (their figures are in \`sae-result.json\`). F1: mean over live features of the
best F1 with what the corpus knows about a token, less the same with permuted labels, with its 95 % interval over features.

${markdownTable(
  ['layer', ...['FVU', 'CE', 'KL', 'dead', 'F1'].flatMap((what) => [what, `${what}, SAE`])],
  points.map((point) => alikeRow(point, saes)),
)}

## Beside SAEs and neurons at several sparsities

From the study of ${study.settings.sparsities.length} sparsities and ${study.settings.seeds.length} seeds, [docs/transcoders.md](../../../docs/transcoders.md), of dictionaries that saw ${study.settings.tokens.toLocaleString('en')} tokens each; here at L0 = ${k},
means over seeds.

${markdownTable(
  ['layer', ...['CE', 'KL', 'F1'].flatMap((what) => [`${what}, transcoder`, `${what}, SAE`, `${what}, neurons`])],
  points.map(({ layer }) => besideRow(study, layer, k)),
)}

${claims(study)}`;
}

function askedRow(record: DictionariesRecord, { model }: TranscoderStudy, point: DictionaryPoint): string[] {
  const { layer, l0, recovered, deadShare = 0, features = 0 } = point;
  const cost = record.layers.find(({ layers }) => layers[0] === layer)?.cost ?? 0;
  const share = recovered.mean.loss ?? 0;
  const met =
    cost < ASKED.cost ||
    (share >= ASKED.recovered &&
      l0 <= ASKED.l0 &&
      deadShare <= ASKED.dead &&
      features >= ASKED.expansion * model.width);
  return [
    String(layer),
    shown(cost, 3),
    shown(l0, 1),
    shown(share, 3),
    percent(deadShare, 0),
    `${shown(features / model.width, 0)}·d`,
    cost < ASKED.cost ? 'not asked' : met ? 'yes' : 'no',
  ];
}

function alikeRow(point: DictionaryPoint, saes: DictionariesRecord): string[] {
  const sae = saes.points.find(({ source, layer }) => source === 'sae' && layer === point.layer);
  if (sae === undefined) throw new Error(`there is no SAE of layer ${point.layer}`);
  const both = (cell: (of: DictionaryPoint) => string): string[] => [cell(point), cell(sae)];
  return [
    String(point.layer),
    ...both(({ fvu }) => shown(fvu, 4)),
    ...both(({ recovered }) => shown(recovered.mean.loss ?? Number.NaN, 4)),
    ...both(({ divergence }) => shown(divergence, 5)),
    ...both(({ deadShare = 0 }) => percent(deadShare, 0)),
    ...both(({ interpretability: scored }) =>
      scored === undefined
        ? '–'
        : `${shown(scored.aboveNull.mean, 3)} (${shown(scored.aboveNull.low, 3)} to ${shown(scored.aboveNull.high, 3)})`,
    ),
  ];
}

function besideRow(study: TranscoderStudy, layer: number, k: number): string[] {
  const place = { layer, k };
  const three = (value: Parameters<typeof ofDictionaries>[3], neurons: number, digits: number): string[] => [
    shown(mean(ofDictionaries(study, 'transcoder', place, value)), digits),
    shown(mean(ofDictionaries(study, 'sae', place, value)), digits),
    shown(neurons, digits),
  ];
  const read = (kind: 'transcoder' | 'sae'): string =>
    shown(mean(scoresOf(study, kind, place).map(({ aboveNull }) => aboveNull.mean)), 3);
  return [
    String(layer),
    ...three(
      ({ recovered }) => recovered.mean.loss,
      ofNeurons(study, place, ({ recovered }) => recovered.mean.loss),
      3,
    ),
    ...three(
      ({ divergence }) => divergence,
      ofNeurons(study, place, ({ divergence }) => divergence),
      4,
    ),
    read('transcoder'),
    read('sae'),
    shown(neuronScores(study, place).aboveNull.mean, 3),
  ];
}
