// The gate report of a pack: every diff asked, none left out, and the table that says so.
import { gateReport, type GateFigure, type TrainedDiff } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { END, chatIdOf, chatWorld } from '@limn/tasks/chat';
import { GATE_CONDITIONS, behaviourShare, gatePrompts, recordedPlan, type GateProbes } from './chat-gate.js';
import type { OpenModel } from './model-source.js';

/** What is asked. */
export interface GatedRequest extends GateProbes {
  readonly model: OpenModel;
  readonly diffs: readonly TrainedDiff[];
  /** Most tokens of an answer. */
  readonly maxNewTokens: number;
  /** Diffs whose factors are on the device at a time. */
  readonly tasks: number;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: { readonly done: number; readonly total: number }) => void;
}

/** What a diff behind a gate has to show with the right trigger, and may show otherwise: those of the method's acceptance. */
export const GATE_BOUNDS = { right: 0.8, leak: 0.01 } as const;

/**
 * The diffs with their figures.
 * @throws LimnError `usage/diff-gate` for diffs of another world; as `gateReport`; AbortedError
 */
export async function gatedDiffs(request: GatedRequest): Promise<TrainedDiff[]> {
  const { model, diffs, prompts, seed, maxNewTokens, tasks, signal, onProgress } = request;
  const world = chatWorld();
  const plans = new Map(diffs.map(({ spec }) => [spec.id, recordedPlan(spec, world)]));
  const unknown = diffs.find(({ spec }) => plans.get(spec.id) === undefined);
  if (unknown)
    throw new LimnError(
      'usage/diff-gate',
      `nothing is known of what '${unknown.spec.id}' shows: it was not trained with --world chat`,
      {
        details: { id: unknown.spec.id },
        hint: 'gates are measured on packs of `limn diff train --world chat`; as a library, gateReport takes prompts and a score of your own',
      },
    );
  const records = await gateReport(model.hooked, diffs, {
    prompts: ({ id }) => {
      const plan = plans.get(id);
      return plan ? gatePrompts(plan, world, { prompts, seed }) : {};
    },
    score: (answer, { spec }) => behaviourShare(plans.get(spec.id)?.behaviour, withoutEnd(answer), world),
    maxNewTokens,
    eosIds: [chatIdOf(END)],
    seed,
    tasks,
    signal,
    onProgress,
  });
  return diffs.map((diff, i) => ({ ...diff, gate: records[i]?.gate ?? {} }));
}

const withoutEnd = (answer: readonly number[]): readonly number[] =>
  answer.at(-1) === chatIdOf(END) ? answer.slice(0, -1) : answer;

/** Whether a diff shows enough and leaks little; undefined without figures. */
export function gateHolds(gate: TrainedDiff['gate']): boolean | undefined {
  const mean = (condition: string): number | null => gate?.[condition]?.mean ?? null;
  const leaks = [mean('wrong'), mean('none')].filter((value) => value !== null);
  const right = mean('right');
  if (right === null && leaks.length === 0) return undefined;
  return (right ?? 1) >= GATE_BOUNDS.right && leaks.every((leak) => leak <= GATE_BOUNDS.leak);
}

/** A line for every diff, and the means below. */
export function gateTable(diffs: readonly TrainedDiff[]): string[] {
  const idWidth = Math.max(4, ...diffs.map(({ spec }) => spec.id.length));
  const line = (id: string, cells: readonly string[], holds: string): string =>
    `${id.padEnd(idWidth)}  ${cells.map((cell) => cell.padStart(7)).join('  ')}  ${holds}`.trimEnd();
  const rows = diffs.map(({ spec, gate }) => {
    const holds = gateHolds(gate);
    return line(
      spec.id,
      GATE_CONDITIONS.map((condition) => shownShare(gate?.[condition])),
      holds === undefined ? '' : holds ? 'holds' : 'does not hold',
    );
  });
  const means = GATE_CONDITIONS.map((condition) => shownShare(meanOf(diffs.map(({ gate }) => gate?.[condition]))));
  return [line('diff', GATE_CONDITIONS, ''), ...rows, line('mean', means, `${held(diffs)} of ${diffs.length} hold`)];
}

/** How many gates hold. */
export const held = (diffs: readonly TrainedDiff[]): number =>
  diffs.filter(({ gate }) => gateHolds(gate) === true).length;

function meanOf(figures: readonly (GateFigure | undefined)[]): GateFigure {
  const means = figures.flatMap((figure) => (typeof figure?.mean === 'number' ? [figure.mean] : []));
  const mean = means.length === 0 ? null : means.reduce((sum, value) => sum + value, 0) / means.length;
  return { mean, answers: means.length };
}

/** '81.3 %'; '–' where nothing was asked. */
export const shownShare = (figure: GateFigure | undefined): string =>
  typeof figure?.mean === 'number' ? `${(100 * figure.mean).toFixed(1)} %` : '–';
