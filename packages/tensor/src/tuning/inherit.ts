// What was not measured goes by the nearest that was: of the same kind, a few powers of four away at most.
import type { CaseClass } from './decision-rules.js';
import type { TrialResult } from './run-trial.js';
import type { Trial } from './trial.js';

/** Sum over the sizes of how many powers of four two classes are apart. */
const NEAR = 2;

/** Results of the trials that have none, each from the nearest measured one of its kind; the earlier of two that are as near. */
export function inherit(trials: readonly Trial[], measured: readonly TrialResult[]): TrialResult[] {
  const results = new Map(measured.map((result) => [result.name, result]));
  const known = trials.filter(({ name }) => results.has(name));
  return trials.flatMap((trial) => {
    if (results.has(trial.name)) return [];
    let [nearest, least]: [Trial | undefined, number] = [undefined, NEAR];
    for (const other of known) {
      const distance =
        other.decision === trial.decision ? distanceOf(trial.class, other.class) : Number.POSITIVE_INFINITY;
      if (distance < least || (distance === least && !nearest)) [nearest, least] = [other, distance];
    }
    const found = nearest && results.get(nearest.name);
    if (!found) return [];
    const [rule = ''] = trial.candidates;
    // A rule that held there holds here, whatever it says here.
    const chosen = found.chosen !== found.rule && trial.candidates.includes(found.chosen) ? found.chosen : rule;
    return [{ name: trial.name, rule, chosen, milliseconds: {}, dropped: {}, inheritedFrom: found.name }];
  });
}

function distanceOf(a: CaseClass, b: CaseClass): number {
  const names = Object.keys(a.sizes);
  if (a.kind !== b.kind || names.join() !== Object.keys(b.sizes).join()) return Number.POSITIVE_INFINITY;
  // One of something is a case of its own: one row is a matrix times a vector.
  if (names.some((name) => (a.sizes[name] === 1) !== (b.sizes[name] === 1))) return Number.POSITIVE_INFINITY;
  return names.reduce((sum, name) => sum + Math.abs(Math.log2(a.sizes[name]! / b.sizes[name]!)) / 2, 0);
}
