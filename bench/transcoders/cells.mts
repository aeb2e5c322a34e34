// One number of a study at one layer and sparsity, of each seed's dictionaries or of the neurons, which have no seed.
import { nameOf, neuronsName, type Kind } from './specs.mjs';
import type { TranscoderStudy } from './study.mjs';

/** Where a number stands. */
export interface Place {
  readonly layer: number;
  readonly k: number;
}

type Figures = TranscoderStudy['evaluation']['dictionaries'][number];
type NeuronFigures = TranscoderStudy['evaluation']['neurons'][number];
type Scores = TranscoderStudy['interpretability']['sources'][number];

/** Layers that were measured, from the lowest. */
export const layersOf = (study: TranscoderStudy): readonly number[] =>
  study.evaluation.layers.map(({ layers }) => layers[0] as number).sort((a, b) => a - b);

/** Every layer at every sparsity. */
export const placesOf = (study: TranscoderStudy): readonly Place[] =>
  layersOf(study).flatMap((layer) => study.settings.sparsities.map((k) => ({ layer, k })));

/** What mean-ablation of a layer's MLP costs in nats. */
export const costOf = (study: TranscoderStudy, layer: number): number =>
  found(
    study.evaluation.layers.find(({ layers }) => layers[0] === layer),
    `layer ${layer}`,
  ).cost;

/** By seed. */
export function ofDictionaries(
  study: TranscoderStudy,
  kind: Kind,
  place: Place,
  value: (figures: Figures) => number,
): readonly number[] {
  return study.settings.seeds.map((seed) => {
    const name = nameOf({ kind, ...place, seed });
    return value(
      found(
        study.evaluation.dictionaries.find((each) => each.name === name),
        name,
      ),
    );
  });
}

/** Of the k largest neurons, the others at zero or at their mean, whichever leaves less KL. */
export function ofNeurons(
  study: TranscoderStudy,
  { layer, k }: Place,
  value: (figures: NeuronFigures) => number,
): number {
  const [better] = study.evaluation.neurons
    .filter((each) => each.layer === layer && each.k === k)
    .sort((a, b) => a.divergence - b.divergence);
  return value(found(better, neuronsName(layer, k)));
}

/** What the features of each seed's dictionary stand for. */
export function scoresOf(study: TranscoderStudy, kind: Kind, place: Place): readonly Scores[] {
  return study.settings.seeds.map((seed) => sourceOf(study, nameOf({ kind, ...place, seed })));
}

/** What the neurons stand for. */
export const neuronScores = (study: TranscoderStudy, { layer, k }: Place): Scores =>
  sourceOf(study, neuronsName(layer, k));

const sourceOf = (study: TranscoderStudy, name: string): Scores =>
  found(
    study.interpretability.sources.find((each) => each.name === name),
    name,
  );

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the study has no ${what}`);
  return value;
}
