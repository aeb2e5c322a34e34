// Which diffs a process of several trains: whole groups, dealt out in turn, so that every process knows its own without asking.
import { LimnError } from '@limn/gpu';
import { withSpecs, type DiffFamily } from './diff-family.js';
import type { PartOf } from './shared-options.js';

/**
 * The diffs of part i of n: groups of `tasks` in the order of the plan, group g for part g mod n. Families without any are left out.
 * @throws LimnError `usage/shard` where there are fewer groups than parts
 */
export function shardOf(families: readonly DiffFamily[], { index, of }: PartOf, tasks: number): DiffFamily[] {
  let group = 0;
  const own = families.flatMap((family) => {
    const first = group;
    group += Math.ceil(family.specs.length / tasks);
    const specs = family.specs.filter((_, i) => (first + Math.floor(i / tasks)) % of === index);
    return specs.length === 0 ? [] : [withSpecs(family, specs)];
  });
  if (group >= of) return own;
  throw new LimnError(
    'usage/shard',
    `--shard ${index + 1}/${of}: there are ${group} groups of ${tasks} diffs to share out`,
    { details: { groups: group, tasks, of }, hint: `take at most ${group} parts, or a smaller --tasks` },
  );
}
