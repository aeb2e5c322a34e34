// Dictionaries measured on a text and on general text, and what of it is said in a table.
import type { HookedModel, RunControls } from '@limn/hooks';
import {
  evaluateDictionaries,
  interpretabilityScores,
  type DictionaryEvaluation,
  type DictionaryFigures,
  type InterpretabilityScores,
  type JointFigures,
  type JointReplacement,
  type LabelledSequence,
  type NamedCrossLayer,
  type NamedDictionary,
  type NeuronBaseline,
  type ReplacementFigures,
} from '@limn/transcoders';
import type { NamedSequences } from './dictionary-data.js';
import { placeName } from './dictionary-settings.js';
import type { ProgressEvent } from './console.js';

/** What is measured, and how. */
export interface MeasureRequest extends Pick<RunControls, 'signal' | 'memoryBytes'> {
  readonly model: HookedModel;
  readonly dictionaries: readonly NamedDictionary[];
  readonly crossLayer?: readonly NamedCrossLayer[];
  readonly own: NamedSequences;
  readonly general?: NamedSequences | undefined;
  readonly skip: number;
  readonly together?: readonly JointReplacement[];
  readonly neurons?: readonly NeuronBaseline[];
  /** Tokens with what is known about each, on which features are scored. */
  readonly labelled?: readonly LabelledSequence[] | undefined;
  readonly onProgress: (event: ProgressEvent) => void;
}

/** Figures on a text. */
export interface MeasuredText {
  readonly name: string;
  readonly sha256?: string;
  readonly sequences: number;
  readonly figures: DictionaryEvaluation;
}

/** How much more a dictionary leaves unexplained of a text than of general text. */
export interface TextGap {
  readonly name: string;
  readonly layer: number;
  readonly fvu: number;
  readonly general: number;
  /** fvu − general: below 0 where the text is rebuilt better. */
  readonly gap: number;
}

/** All of it. */
export interface MeasuredDictionaries {
  readonly own: MeasuredText;
  readonly general?: MeasuredText;
  readonly gaps?: readonly TextGap[];
  /** Whether features stand for what is known about the tokens. */
  readonly interpretability?: InterpretabilityScores;
}

/** @throws LimnError as `evaluateDictionaries` and `interpretabilityScores`; AbortedError */
export async function measureDictionaries(request: MeasureRequest): Promise<MeasuredDictionaries> {
  const { model, dictionaries, crossLayer, skip, together, neurons, signal, memoryBytes, onProgress } = request;
  const measure = async ({ name, sha256, sequences }: NamedSequences): Promise<MeasuredText> => ({
    name,
    ...(sha256 === undefined ? {} : { sha256 }),
    sequences: sequences.length,
    figures: await evaluateDictionaries(model, sequences, dictionaries, {
      skip,
      together,
      neurons,
      crossLayer,
      signal,
      memoryBytes,
      onProgress: (progress) => onProgress({ phase: `measuring on ${name}`, ...progress }),
    }),
  });
  const own = await measure(request.own);
  const { labelled } = request;
  const scored = labelled
    ? {
        interpretability: await interpretabilityScores(model, labelled, dictionaries, {
          skip,
          signal,
          memoryBytes,
          onProgress: (progress) => onProgress({ phase: 'scoring features', ...progress }),
        }),
      }
    : {};
  if (request.general === undefined) return { own, ...scored };
  const general = await measure(request.general);
  const others = eachLayer(general.figures);
  const gaps = eachLayer(own.figures).map(({ name, layer, fvu }, i): TextGap => {
    const other = others[i]?.fvu ?? Number.NaN;
    return { name, layer, fvu, general: other, gap: fvu - other };
  });
  return { own, general, gaps, ...scored };
}

/** What was measured of one MLP each: dictionaries, and the layers of cross-layer transcoders by their places. */
export const eachLayer = ({ dictionaries, crossLayer }: DictionaryEvaluation): readonly DictionaryFigures[] => [
  ...dictionaries,
  ...crossLayer.flatMap(({ layers }) => layers.map((each) => ({ name: placeName(each.layer, false), ...each }))),
];

/** What was measured of several MLPs replaced at once. */
export const atOnce = ({ together, crossLayer }: DictionaryEvaluation): readonly JointFigures[] => [
  ...together,
  ...crossLayer,
];

/** Replaces every layer that has a dictionary; nothing where there is but one, or two of a layer. */
export function allTogether(dictionaries: readonly NamedDictionary[]): readonly JointReplacement[] {
  const layers = dictionaries.map(({ dictionary }) => dictionary.config.layer);
  if (layers.length < 2 || new Set(layers).size < layers.length) return [];
  return [{ name: `layers ${layers.join(', ')}`, dictionaries: dictionaries.map(({ name }) => name) }];
}

/** The headings of `figureRows`. */
export const FIGURE_HEADINGS = [
  '',
  'features',
  'L0',
  'FVU',
  'dead',
  'loss',
  'recovered',
  'of zero',
  'KL',
  'same top',
  'mean costs',
] as const;

/** A row for each dictionary and each joint replacement. */
export function figureRows(
  evaluation: DictionaryEvaluation,
  features: (name: string) => number | undefined,
): string[][] {
  const { layers } = evaluation;
  const cost = (layer: number): number => layers.find((each) => each.layers[0] === layer)?.cost ?? Number.NaN;
  const fidelity = ({ loss, recovered, divergence, agreement }: ReplacementFigures): string[] => [
    loss.toFixed(4),
    recovered.mean.loss.toFixed(3),
    recovered.zero.loss.toFixed(3),
    divergence.toFixed(4),
    percent(agreement),
  ];
  return [
    ...eachLayer(evaluation).map((each) => [
      each.name,
      String(features(each.name) ?? ''),
      each.l0.toFixed(1),
      each.fvu.toFixed(3),
      percent(each.deadShare),
      ...fidelity(each),
      cost(each.layer).toFixed(3),
    ]),
    ...atOnce(evaluation).map((each) => [each.name, '', '', '', '', ...fidelity(each), each.ablations.cost.toFixed(3)]),
  ];
}

/** Lines of a table, the first column to the left. */
export function tableLines(headings: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const all = [headings, ...rows];
  const widths = headings.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all.map((row) =>
    widths
      .map((width, column) => (column === 0 ? (row[column] ?? '').padEnd(width) : (row[column] ?? '').padStart(width)))
      .join('  ')
      .trimEnd(),
  );
}

/** What features stand for, a sentence for each dictionary. */
export function interpretabilityLines({ interpretability }: MeasuredDictionaries): string[] {
  if (!interpretability) return [];
  const { tokens, usableLabels, sources } = interpretability;
  return sources.map(
    ({ name, scores, features, f1, nullF1, aboveNull }) =>
      `${name}: ${scores.length} of ${features} features are live and have a best F1 of ${f1.mean.toFixed(3)} over ${usableLabels} labels of ${tokens} tokens, ${nullF1.mean.toFixed(3)} with labels permuted; ${aboveNull.mean.toFixed(3)} above them (95 %: ${aboveNull.low.toFixed(3)} to ${aboveNull.high.toFixed(3)})`,
  );
}

/** What was measured, in lines. */
export function describeMeasured(
  measured: MeasuredDictionaries,
  features: (name: string) => number | undefined,
): string[] {
  const { own, general, gaps } = measured;
  const { figures, name, sequences } = own;
  return [
    `${name}: ${sequences} sequences, ${figures.predictions} predictions, loss ${figures.loss.toFixed(4)} nats as the model is`,
    ...tableLines(FIGURE_HEADINGS, figureRows(figures, features)),
    ...(gaps && general
      ? gaps.map(
          ({ name: each, fvu, general: other, gap }) =>
            `${each}: FVU ${fvu.toFixed(3)} here, ${other.toFixed(3)} on ${general.name}: a gap of ${gap >= 0 ? '+' : ''}${gap.toFixed(3)}`,
        )
      : []),
    ...interpretabilityLines(measured),
  ];
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
