// The trained dictionaries as limn's own sets: a folder for each kind, sparsity and seed.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { writeSafetensors } from '@limn/gpt2';
import {
  writeDictionarySet,
  type DictionaryFigures,
  type SetDescription,
  type TrainedDictionaries,
} from '@limn/transcoders';
import { save } from '../result-file.mjs';
import { nameOf, type StudiedDictionary } from './specs.mjs';

/** Writes the sets below a folder; `figures` are those of the dictionaries, by name. */
export async function writeSets(
  folder: string,
  all: readonly StudiedDictionary[],
  { dictionaries }: TrainedDictionaries,
  figures: readonly DictionaryFigures[],
  description: SetDescription,
): Promise<void> {
  const groups = new Map<string, StudiedDictionary[]>();
  for (const each of all) {
    const name = `${each.kind}-k${each.k}-seed${each.seed}`;
    groups.set(name, [...(groups.get(name) ?? []), each]);
  }
  for (const [name, group] of groups) {
    const members = group.map((each) => {
      const { spec, weights } = dictionaries.find(
        (one) => one.spec.name === nameOf(each),
      ) as (typeof dictionaries)[number];
      const { histogram: _, ...measured } = figures.find((one) => one.name === nameOf(each)) as DictionaryFigures;
      const { loss, rate, seed, deadAfter } = spec;
      return { config: spec.config, weights, figures: measured, training: { loss, rate, seed, deadAfter } };
    });
    mkdirSync(path.join(folder, name), { recursive: true });
    for await (const file of writeDictionarySet(members, description)) {
      const to = path.join(folder, name, file.name);
      if ('text' in file) save(to, file.text);
      else if ('tensors' in file) writeFileSync(to, writeSafetensors(file.tensors, file.metadata));
    }
  }
}
