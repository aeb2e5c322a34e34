// One trial measured: candidates that compute something else are dropped, then all take turns.
import { median, pickFastest } from './pick.js';
import type { Trial } from './trial.js';

/** A trial's candidates on a device, or what stands in for one in tests. */
export interface TrialRuns {
  /** Compiles each candidate; says of those that do not compile why. */
  compile(): Promise<ReadonlyMap<string, string>>;
  /** Runs each of these once; says of those that compute something else than the first why. */
  compare(candidates: readonly string[]): Promise<ReadonlyMap<string, string>>;
  /** Milliseconds of so many runs, one after another in one submit. */
  time(candidate: string, repeats: number): Promise<number>;
  /** Gives back what the trial holds. */
  dispose(): void;
}

/** What came of a trial. */
export interface TrialResult {
  /** The name of the choice. */
  readonly name: string;
  /** What the built-in rule takes. */
  readonly rule: string;
  /** What is taken; the rule's own unless another was clearly faster. */
  readonly chosen: string;
  /** Median milliseconds of one run by candidate; empty where nothing was measured. */
  readonly milliseconds: Readonly<Record<string, number>>;
  /** Candidates that were not taken into the comparison, and why. */
  readonly dropped: Readonly<Record<string, string>>;
  /** The trial that this one was not measured itself and goes by. */
  readonly inheritedFrom?: string;
}

/** How a trial is measured. */
export interface TrialControls {
  /** Milliseconds that one measurement should take at least: well above what a submit costs. */
  readonly enough: number;
  /** Most runs in one measurement. */
  readonly mostRepeats: number;
  /** Whether there is time left. */
  readonly goOn: () => boolean;
}

/** Measurements of each candidate that count; one before them does not. */
const ROUNDS = 5;
/** A candidate whose first run takes this many times the rule's is out, where that is long enough to be believed. */
const HOPELESS = 4;

/** Measures a trial; undefined when time runs out before every candidate has had its turns. */
export async function runTrial(
  trial: Trial,
  runs: TrialRuns,
  { enough, mostRepeats, goOn }: TrialControls,
): Promise<TrialResult | undefined> {
  const [rule = ''] = trial.candidates;
  const dropped = new Map(await runs.compile());
  const left = (): string[] => trial.candidates.filter((name) => !dropped.has(name));
  const result = (chosen: string, times: ReadonlyMap<string, readonly number[]>): TrialResult => ({
    name: trial.name,
    rule,
    chosen,
    milliseconds: Object.fromEntries(Array.from(times, ([name, rounds]) => [name, median(rounds)])),
    dropped: Object.fromEntries(dropped),
  });
  // The rule's own is what the others are held against: where it fails, nothing is known.
  if (dropped.has(rule) || left().length === 1) return result(rule, new Map());
  if (!goOn()) return undefined;
  for (const [name, why] of await runs.compare(left())) dropped.set(name, why);
  if (left().length === 1) return result(rule, new Map());

  const single = new Map<string, number>();
  for (const name of left()) {
    if (!goOn()) return undefined;
    single.set(name, await runs.time(name, 1));
  }
  const once = single.get(rule) as number;
  for (const [name, time] of single)
    if (time > HOPELESS * Math.max(once, enough))
      dropped.set(name, `one run takes ${(time / once).toFixed(1)} times as long`);
  const repeats = Math.max(1, Math.min(mostRepeats, Math.ceil(enough / Math.max(once, enough / mostRepeats))));

  const names = left();
  const times = new Map(names.map((name) => [name, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round++)
    for (let turn = 0; turn < names.length; turn++) {
      if (!goOn()) return undefined;
      const name = names[(turn + round) % names.length] as string;
      const time = (await runs.time(name, repeats)) / repeats;
      if (round > 0) times.get(name)?.push(time);
    }
  return result(pickFastest(times), times);
}
