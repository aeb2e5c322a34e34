// What a trained diff is found by: a digest of everything that decides its numbers but the machine.
import { sha256 } from '@limn/gpu';
import type { HookedModel } from '@limn/hooks';
import type { DiffSettings } from './diff-options.js';
import { stackRank, type DiffShape, type SettledDiff } from './diff-spec.js';

/** Of results that other versions of the training would have made differently. */
const FORMAT = 'limn-diff/1';

/**
 * sha256 over base weights, spec, settings, the sampler's name and version, and the rows of round 0. Who else is trained has no part in it:
 * results of shards and of one run are the same files.
 */
export function diffKey(
  { fingerprint, processing }: HookedModel['info'],
  { samples, ...spec }: SettledDiff,
  settings: DiffSettings,
): Promise<string> {
  return valueDigest({ format: FORMAT, base: { fingerprint, processing }, spec, settings, first: samples(0) });
}

/** sha256 of a value's JSON, whatever order its fields were written down in. */
export function valueDigest(value: unknown): Promise<string> {
  return sha256(JSON.stringify(sorted(value)));
}

/** Diffs whose factors can lie in one stack: of one rank, in the same maps. */
export interface DiffGroup {
  readonly rank: number;
  readonly modules: readonly string[];
  /** Places into the list of diffs, at most as many as a group has places. */
  readonly members: readonly number[];
}

/** Diffs in groups of at most so many, in their order. */
export function diffGroups(
  diffs: readonly Pick<SettledDiff, 'rank' | 'modules'>[],
  { tasks }: Pick<DiffShape, 'tasks'>,
): DiffGroup[] {
  const alike = new Map<string, { rank: number; modules: readonly string[]; members: number[] }>();
  diffs.forEach(({ rank, modules }, place) => {
    const key = `${stackRank(rank)} ${modules.join()}`;
    const group = alike.get(key) ?? { rank: stackRank(rank), modules, members: [] };
    group.members.push(place);
    alike.set(key, group);
  });
  return [...alike.values()].flatMap(({ members, ...group }) =>
    Array.from({ length: Math.ceil(members.length / tasks) }, (_, i) => ({
      ...group,
      members: members.slice(i * tasks, (i + 1) * tasks),
    })),
  );
}

/** The same value with the fields of every object in one order, so that its text does not depend on how it was written down. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, each]) => [name, sorted(each)]));
}
