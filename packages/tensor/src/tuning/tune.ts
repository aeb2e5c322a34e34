// Measures on a device which of their kernels the ops should take there, within a budget of time.
import { kernelChoices, LimnError, type Gpu, type KernelChoices } from '@limn/gpu';
import { offerName } from './decision-rules.js';
import { openOnDevice, usesTimestamps } from './device-runs.js';
import { inherit } from './inherit.js';
import { kernelDecisions } from './kernel-decisions.js';
import { runTrial, type TrialResult, type TrialRuns } from './run-trial.js';
import type { Trial, TunableDecision } from './trial.js';

/** How long to measure, what, and by which clock. */
export interface TuneOptions {
  /** Milliseconds in all, with the compiling; 2000 by default. A measurement under way is ended, so a slow device takes a little longer. */
  readonly budgetMs?: number;
  /** Ends the measuring; what is known by then is given back. */
  readonly signal?: AbortSignal | undefined;
  /** Told before every trial, and at the end. */
  readonly onProgress?: (progress: TuneProgress) => void;
  /** What is decided; `kernelDecisions` by default. */
  readonly decisions?: readonly TunableDecision[];
  /**
   * Milliseconds by which runs are compared, instead of GPU timestamps or the wall clock: on a software adapter in Node the CPU time of the
   * process, which other programs do not touch.
   */
  readonly clock?: (() => number) | undefined;
  /** For tests: what measures a trial instead of the device. */
  readonly open?: (trial: Trial) => Promise<TrialRuns>;
  /** For tests: milliseconds by which the budget goes. */
  readonly now?: () => number;
}

/** How far a tuning is. */
export interface TuneProgress {
  /** Trials that are through, and all there are. */
  readonly done: number;
  /** See `done`. */
  readonly total: number;
  /** The name of the one that comes next; of the last at the end. */
  readonly name: string;
}

/** What came of a tuning. */
export interface Tuning {
  /** To open the device with from now on: what deviates from the built-in rules, and what was on offer. */
  readonly choices: KernelChoices;
  /** What was measured, in that order, then what goes by the nearest that was measured. */
  readonly results: readonly TrialResult[];
  /** Trials that nothing is known of, as there was no time. They keep their rules. */
  readonly open: readonly string[];
}

const BUDGET_MS = 2000;
/** Milliseconds of one measurement: GPU timestamps leave out what a submit costs, other clocks do not. */
const ENOUGH = { stamped: 0.5, clocked: 4 };
const MOST_REPEATS = 200;
/** Inputs and outputs of one trial. */
const MOST_BYTES = 512 * 2 ** 20;
/** Runs that a candidate takes at the least. */
const RUNS = 8;
/** Operations that making an input and comparing an output take, an element. */
const MAKING = 100;
/** A trial that takes less than this part of the budget does not wait for others. */
const SHORT = 20;

/**
 * Times every candidate of the decisions' cases against the rule's and says which choices are clearly better here (a tenth at least; every
 * candidate's result is compared with the rule's first). The device is not changed: open it anew with `choices`. Two tunings may differ;
 * the same choices always run the same programs.
 * @throws LimnError what running kernels throws, but not for a kernel that does not compile
 */
export async function tuneKernels(gpu: Gpu, options: TuneOptions = {}): Promise<Tuning> {
  const { budgetMs = BUDGET_MS, signal, onProgress, decisions = kernelDecisions, clock } = options;
  const { now = () => performance.now(), open = (trial: Trial) => openOnDevice(gpu, trial, clock) } = options;
  const end = now() + budgetMs;
  const { capabilities } = gpu;
  const enough = usesTimestamps(gpu, clock) ? ENOUGH.stamped : ENOUGH.clocked;
  // Operations per millisecond, better known with every trial.
  let speed = capabilities.flopsPerSecond / 1000;
  const expected = ({ work, candidates, bytes }: Trial): number =>
    (RUNS * candidates.length * work + (MAKING * bytes.all) / 4) / speed;
  const listed = inTurns(decisions.map((decision) => decision.trials(capabilities))).filter((trial) =>
    fits(trial, gpu),
  );
  // A slow device is first asked what it can answer.
  const isShort = new Set(listed.filter((trial) => expected(trial) <= budgetMs / SHORT));
  const trials = [...listed.filter((trial) => isShort.has(trial)), ...listed.filter((trial) => !isShort.has(trial))];
  const measured: TrialResult[] = [];
  const goOn = (): boolean => !signal?.aborted && now() < end;

  for (const [done, trial] of trials.entries()) {
    if (!goOn()) break;
    onProgress?.({ done, total: trials.length, name: trial.name });
    if (expected(trial) > end - now()) continue;
    const mostRepeats = Math.max(1, Math.min(MOST_REPEATS, Math.floor(gpu.workBudgetFlops / trial.work)));
    const result = await attempt(trial, open, (runs) => runTrial(trial, runs, { enough, mostRepeats, goOn }));
    if (!result) continue;
    measured.push(result);
    speed = Math.max(speed, trial.work / (result.milliseconds[result.rule] ?? Number.POSITIVE_INFINITY));
  }
  const inherited = inherit(trials, measured);
  const results = [...measured, ...inherited];
  const known = new Set(results.map(({ name }) => name));
  onProgress?.({ done: trials.length, total: trials.length, name: trials.at(-1)?.name ?? '' });
  return {
    choices: kernelChoices(
      Object.fromEntries([
        ...decisions.map((decision) => [offerName(decision.name), decision.offer(capabilities)]),
        ...results.filter(({ chosen, rule }) => chosen !== rule).map(({ name, chosen }) => [name, chosen]),
      ]),
    ),
    results,
    open: trials.map(({ name }) => name).filter((name) => !known.has(name)),
  };
}

/** The first of every list, then the second of every list, and so on: a long list does not take all the time. */
function inTurns(lists: readonly (readonly Trial[])[]): Trial[] {
  const longest = Math.max(0, ...lists.map((list) => list.length));
  return Array.from({ length: longest }, (_, i) => lists.flatMap((list) => list[i] ?? [])).flat();
}

function fits({ bytes }: Trial, { capabilities: { limits } }: Gpu): boolean {
  const most = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize);
  return bytes.largest <= most && bytes.all <= MOST_BYTES;
}

/** Runs a trial; one for which there is no memory is left out. */
async function attempt(
  trial: Trial,
  open: (trial: Trial) => Promise<TrialRuns>,
  run: (runs: TrialRuns) => Promise<TrialResult | undefined>,
): Promise<TrialResult | undefined> {
  let runs: TrialRuns | undefined;
  try {
    runs = await open(trial);
    return await run(runs);
  } catch (error) {
    if (error instanceof LimnError && error.code === 'gpu/out-of-memory') return undefined;
    throw error;
  } finally {
    runs?.dispose();
  }
}
