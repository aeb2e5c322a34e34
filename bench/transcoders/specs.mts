// The dictionaries of the study: every layer, transcoder and SAE, every sparsity and seed, all trained from one stream.
import type { ModelInfo } from '@limn/hooks';
import type { DictionaryActivation, DictionarySpec, JointReplacement, ReadableSite } from '@limn/transcoders';

/** What is compared, by what it reads. */
export const KINDS = { transcoder: 'ln2.hook_normalized', sae: 'hook_mlp_out' } as const satisfies Record<
  string,
  ReadableSite
>;
export type Kind = keyof typeof KINDS;

/** A dictionary by what sets it apart. */
export interface StudiedDictionary {
  readonly kind: Kind;
  readonly layer: number;
  readonly k: number;
  readonly seed: number;
}

/** What holds for all of them. */
export interface SharedSettings {
  readonly features: number;
  readonly rate: number;
  readonly activation: 'top-k' | 'batch-top-k';
  readonly deadAfter: number;
  /** α of AuxK. */
  readonly auxiliary: number;
}

/** What the k largest neurons of a layer are called. */
export const neuronsName = (layer: number, k: number): string => `neurons, layer ${layer}, k ${k}`;

export const nameOf = ({ kind, layer, k, seed }: StudiedDictionary): string =>
  `${kind}, layer ${layer}, k ${k}, seed ${seed}`;

/** Every combination, layers innermost. */
export function studied(layers: number, sparsities: readonly number[], seeds: readonly number[]): StudiedDictionary[] {
  const kinds = Object.keys(KINDS) as Kind[];
  return seeds.flatMap((seed) =>
    sparsities.flatMap((k) =>
      kinds.flatMap((kind) => Array.from({ length: layers }, (_, layer) => ({ kind, layer, k, seed }))),
    ),
  );
}

export function specOf(of: StudiedDictionary, { width }: ModelInfo, shared: SharedSettings): DictionarySpec {
  const { kind, layer, k, seed } = of;
  const { features, rate, activation, deadAfter, auxiliary } = shared;
  const kept: DictionaryActivation = { kind: activation, k };
  return {
    name: nameOf(of),
    config: {
      layer,
      input: KINDS[kind],
      inputWidth: width,
      outputWidth: width,
      features,
      activation: kept,
      skip: false,
    },
    // Half the width is customary for AuxK (arXiv 2406.04093).
    loss: { reconstruction: 'fvu', auxiliary: { features: width / 2, weight: auxiliary } },
    rate,
    seed,
    deadAfter,
  };
}

/** All layers of one kind, sparsity and seed at once. */
export function jointOf(all: readonly StudiedDictionary[]): JointReplacement[] {
  const groups = new Map<string, string[]>();
  for (const each of all) {
    const name = `${each.kind}, k ${each.k}, seed ${each.seed}`;
    groups.set(name, [...(groups.get(name) ?? []), nameOf(each)]);
  }
  return [...groups].map(([name, dictionaries]) => ({ name, dictionaries }));
}
