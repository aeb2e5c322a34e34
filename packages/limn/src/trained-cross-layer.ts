// What `limn transcode train` trained, of either kind: on the GPU to be measured, and as what a set is written of.
import type { Gpu } from '@limn/gpu';
import {
  CrossLayerDictionary,
  crossLayerSetOf,
  type CrossLayerMember,
  type CrossLayerSpec,
  type CrossLayerWeights,
  type NamedCrossLayer,
  type SetMember,
  type TrainedDictionaries,
  type TrainingSpec,
} from '@limn/transcoders';
import type { MeasuredDictionaries } from './measured-dictionaries.js';
import { loadedOn, membersOf, type LoadedDictionaries, type TrainedDictionary } from './trained-set.js';

/** A cross-layer transcoder that was trained. */
interface TrainedCrossLayer {
  readonly spec: CrossLayerSpec;
  readonly weights: readonly CrossLayerWeights[];
}

type Trained = TrainedDictionary | TrainedCrossLayer;

const isAcross = (trained: Trained): trained is TrainedCrossLayer => 'crossLayer' in trained.spec;
const isOfOneLayer = (trained: Trained): trained is TrainedDictionary => !isAcross(trained);

/** Trained dictionaries and cross-layer transcoders, apart. */
export function trainedApart({ dictionaries }: TrainedDictionaries<TrainingSpec>): {
  readonly dictionaries: readonly TrainedDictionary[];
  readonly crossLayer: readonly TrainedCrossLayer[];
} {
  const all = dictionaries as readonly Trained[];
  return { dictionaries: all.filter(isOfOneLayer), crossLayer: all.filter(isAcross) };
}

/** Both kinds on the GPU. */
export interface LoadedSet extends LoadedDictionaries {
  readonly crossLayer: readonly NamedCrossLayer[];
}

/** @throws LimnError `memory/…` and `gpu/…` when the GPU has no room */
export function loadedSetOn(gpu: Gpu, { dictionaries, crossLayer }: ReturnType<typeof trainedApart>): LoadedSet {
  const own = loadedOn(gpu, dictionaries);
  const across: NamedCrossLayer[] = [];
  const dispose = (): void => {
    own[Symbol.dispose]();
    for (const { dictionary } of across) dictionary.dispose();
  };
  try {
    for (const { spec, weights } of crossLayer)
      across.push({ name: spec.name, dictionary: CrossLayerDictionary.create(gpu, spec.crossLayer, weights) });
  } catch (error) {
    dispose();
    throw error;
  }
  const featuresOf = (name: string): number | undefined =>
    own.featuresOf(name) ?? across[0]?.dictionary.config.features;
  return { dictionaries: own.dictionaries, crossLayer: across, featuresOf, [Symbol.dispose]: dispose };
}

/** What is written as a set: members of one layer each, or the cross-layer transcoder. */
export function setOf(
  { dictionaries, crossLayer: [across] }: ReturnType<typeof trainedApart>,
  measured: MeasuredDictionaries,
): readonly SetMember[] | CrossLayerMember {
  return across ? crossLayerMember(across, measured) : membersOf(dictionaries, measured);
}

function crossLayerMember({ spec, weights }: TrainedCrossLayer, { own }: MeasuredDictionaries): CrossLayerMember {
  const { name, crossLayer, loss, rate, seed, deadAfter } = spec;
  const { name: _name, ...figures } = own.figures.crossLayer.find((each) => each.name === name) ?? {};
  return {
    crossLayer: crossLayerSetOf(crossLayer, weights),
    figures: { ...figures, measuredOn: own.name },
    training: { loss, rate, seed, ...(deadAfter === undefined ? {} : { deadAfter }) },
  };
}
