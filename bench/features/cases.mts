// The two cases of the study: which prompts features are looked for on, which they are tried on, and what of the answer is explained.
import { generatePairs, idOf, NUMBERS, type Pair, type TaskId } from '@limn/tasks';

export const CASES = ['greater-than', 'sva'] as const satisfies readonly TaskId[];
export type CaseId = (typeof CASES)[number];

/** A clean and a corrupted prompt of one length, and the answers that tell them apart. */
export type StudiedPair = Pick<Pair, 'clean' | 'corrupted' | 'correct' | 'incorrect' | 'roles'>;

/** Pairs under which something is tried, and what `lost` and `kept` mean of them. */
export interface TrialPairs {
  readonly name: string;
  readonly about: string;
  readonly pairs: readonly StudiedPair[];
}

/** What is studied of a task. */
export interface Case {
  readonly id: CaseId;
  /** What circuits are found on: seen in training by the model. */
  readonly find: readonly Pair[];
  /** What they are tried on. */
  readonly trials: readonly TrialPairs[];
  /** The role of the token that corruption changes, and that of a token which is like it and does not matter. */
  readonly source: string;
  readonly distractor?: string;
}

/** Answers on either side of a contrast, at most. */
const MOST_ANSWERS = 10;

/** The answers nearest to where right turns to wrong, as many right ones as wrong ones: what graphs explain the difference of. */
export function contrastOf({ correct, incorrect }: Pick<StudiedPair, 'correct' | 'incorrect'>): {
  readonly up: readonly number[];
  readonly down: readonly number[];
} {
  const n = Math.min(MOST_ANSWERS, correct.length, incorrect.length);
  return { up: correct.slice(0, n), down: incorrect.slice(-n) };
}

/** A case with `find` pairs to look at and `trial` held-out ones. */
export function caseOf(id: CaseId, { find, trial }: { readonly find: number; readonly trial: number }): Case {
  const found = generatePairs(id, { seed: 0, n: find, split: 'train' });
  const heldOut: TrialPairs = {
    name: 'held-out',
    about: `${trial} held-out pairs of the task`,
    pairs: generatePairs(id, { seed: 1, n: trial, split: 'held-out' }),
  };
  if (id === 'sva') return { id, find: found, trials: [heldOut], source: 'subject', distractor: 'attractor' };
  return { id, find: found, trials: [heldOut, otherYears(found)], source: 'start' };
}

/** Starts that are put in one another's place. */
const STARTS = [15, 25, 35, 45, 55, 65, 75, 85];
const LEAST_APART = 20;

/** A prompt with another start year. */
export function withStart({ clean, roles }: Pick<Pair, 'clean' | 'roles'>, start: number): number[] {
  const at = roles.indexOf('start');
  return clean.map((id, position) => (position === at ? idOf(NUMBERS[start] as string) : id));
}

/** One prompt with two start years; the answers are the years between, which are right after one of them only. */
function otherYears(found: readonly Pair[]): TrialPairs {
  const [pair] = found as [Pair];
  const pairs = STARTS.flatMap((from) =>
    STARTS.filter((to) => Math.abs(from - to) >= LEAST_APART).map((to): StudiedPair => {
      const [low, high] = [Math.min(from, to), Math.max(from, to)];
      const between = NUMBERS.slice(low + 1, high + 1).map(idOf);
      return {
        clean: withStart(pair, from),
        corrupted: withStart(pair, to),
        correct: from < to ? between : [],
        incorrect: from < to ? [] : between,
        roles: pair.roles,
      };
    }),
  );
  return {
    name: 'another start',
    about: `${pairs.length} ordered pairs of start years at least ${LEAST_APART} apart in one prompt, measured by p of the years between`,
    pairs,
  };
}

/** Where a role stands: the last position is what the answer follows. */
export const positionOf = ({ roles }: Pick<Pair, 'roles'>, role: string): number =>
  role === 'last' ? roles.length - 1 : roles.indexOf(role);

/** The role of a position; the last is called that, whatever its word. */
export const roleAt = ({ roles }: Pick<Pair, 'roles'>, position: number): string =>
  position === roles.length - 1 ? 'last' : (roles[position] ?? '');
