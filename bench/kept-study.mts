// What an earlier run of a study found, so that a study goes on where it stopped: with the same settings, and of the same weights, only.
import { existsSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';

/** A model by the name that it was opened by. */
export interface StudiedModel {
  readonly name: string;
  readonly weightsSha256: string;
}

/** Something found on one model under one seed. */
interface Finding {
  readonly model: string;
  readonly seed: number;
}

/** What every study keeps beside its own settings: where it ran, of what, and what it found. */
export interface KeptStudy<F extends Finding = Finding> {
  readonly adapter: string;
  readonly limn: string;
  readonly seeds: readonly number[];
  readonly models: readonly StudiedModel[];
  readonly findings: readonly F[];
}

/** The study in a file; undefined where there is none, or one of another machine, version or setting. Seeds may differ: each stands for itself. */
export function keptStudy<S extends object>(file: string, header: Partial<S>): S | undefined {
  if (!existsSync(file)) return undefined;
  const kept = JSON.parse(readFileSync(file, 'utf8')) as S & Readonly<Record<string, unknown>>;
  const same = Object.entries(header).every(
    ([name, value]) => name === 'seeds' || isDeepStrictEqual(kept[name], value),
  );
  return same ? kept : undefined;
}

/** Those of the models and seeds that are asked for. */
export function wanted<F extends Finding>(
  findings: readonly F[] | undefined,
  { models, seeds }: { readonly models: readonly string[]; readonly seeds: readonly number[] },
): readonly F[] {
  return (findings ?? []).filter(({ model, seed }) => models.includes(model) && seeds.includes(seed));
}

/** Without what was found on other weights of the model's name. */
export function onTheseWeights<F extends Finding>(
  findings: readonly F[],
  kept: Pick<KeptStudy, 'models'> | undefined,
  { name, weightsSha256 }: StudiedModel,
): readonly F[] {
  const before = kept?.models.find((each) => each.name === name);
  return before && before.weightsSha256 !== weightsSha256 ? findings.filter(({ model }) => model !== name) : findings;
}
