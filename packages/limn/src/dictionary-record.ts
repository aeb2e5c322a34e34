// Measured dictionaries as the record that reports are made of.
import type { DictionariesRecord, DictionaryPoint, Provenance } from '@limn/report';
import type { NeuronFigures, RebuiltFigures, Recovered, ReplacementFigures } from '@limn/transcoders';
import type { TrainedKind } from './dictionary-settings.js';
import { atOnce, eachLayer, type MeasuredDictionaries } from './measured-dictionaries.js';

/** One setting that was measured. */
export interface MeasuredSetting {
  readonly name: string;
  readonly kind: TrainedKind;
  /** 'k = 16' */
  readonly setting: string;
  readonly seed: number;
  readonly features: number;
  readonly measured: MeasuredDictionaries;
}

/** What a record is made of. */
export interface RecordRequest {
  readonly title: string;
  readonly provenance: Provenance;
  readonly settings: readonly MeasuredSetting[];
  readonly neurons?: readonly NeuronFigures[];
  /** The setting to take, and by which rule. */
  readonly recommended?: { readonly name: string; readonly rule: string };
}

const SOURCES = {
  transcoder: 'transcoder',
  sae: 'sae',
  skip: 'skip-transcoder',
  'cross-layer': 'cross-layer-transcoder',
} as const;

/** A point for every dictionary; with one setting they are called by their layers. */
export function dictionariesRecord(request: RecordRequest): DictionariesRecord {
  const { title, provenance, settings, neurons = [], recommended } = request;
  const [first] = settings as readonly [MeasuredSetting, ...MeasuredSetting[]];
  const { own } = first.measured;
  const alone = settings.length === 1;
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'dictionaries',
    title,
    provenance,
    predictions: own.figures.predictions,
    loss: own.figures.loss,
    layers: own.figures.layers,
    corpus: own.name,
    points: [
      ...settings.flatMap(({ name, kind, setting, seed, features, measured }) =>
        eachLayer(measured.own.figures).map((each): DictionaryPoint => {
          const { layer, l0, deadShare, live } = each;
          return {
            name: alone ? each.name : `${name}, layer ${layer}`,
            source: SOURCES[kind],
            layer,
            l0,
            ...rebuilt(each),
            setting,
            seed,
            features,
            deadShare,
            live,
            ...interpretability(measured, each.name),
            ...(recommended?.name === name ? { recommended: true } : {}),
          };
        }),
      ),
      ...neurons.map((each): DictionaryPoint => ({
        name: `${each.k} neurons, rest at ${each.rest}, layer ${each.layer}`,
        source: 'neurons',
        layer: each.layer,
        l0: each.l0,
        ...rebuilt(each),
        setting: `k = ${each.k}`,
      })),
    ],
    together: settings.flatMap(({ name, measured }) =>
      atOnce(measured.own.figures).map((each) => ({
        name: alone ? each.name : `${name}, ${each.name}`,
        ...replacement(each),
        ablations: each.ablations,
      })),
    ),
    ...(recommended ? { rule: recommended.rule } : {}),
  };
}

/** Of one dictionary, where its features were scored. */
function interpretability(
  { interpretability: all }: MeasuredDictionaries,
  name: string,
): Pick<DictionaryPoint, 'interpretability'> {
  const found = all?.sources.find((each) => each.name === name);
  if (!found || found.scores.length === 0) return {};
  const { f1, nullF1, aboveNull, scores } = found;
  return { interpretability: { f1, nullF1, aboveNull, scored: scores.length } };
}

const rebuilt = (of: RebuiltFigures) => ({ fvu: of.fvu, ...replacement(of) });

function replacement({ loss, divergence, agreement, recovered }: ReplacementFigures) {
  return {
    loss,
    divergence,
    agreement,
    recovered: { mean: finiteOrNull(recovered.mean), zero: finiteOrNull(recovered.zero) },
  };
}

/** Where an ablation costs nothing, there is nothing to recover. */
function finiteOrNull({ loss, divergence }: Recovered) {
  const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return { loss: finite(loss), divergence: finite(divergence) };
}
