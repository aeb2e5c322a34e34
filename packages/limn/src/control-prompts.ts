// Prompts of other tasks, which a steering is to leave alone, made to fit the positions that its values are kept for.
import { TASKS, type TaskId } from '@limn/tasks';
import { TEXT_TASKS } from '@limn/tasks/text';
import type { ControlPrompt, PositionTable, SteeringExample } from '@limn/steering';
import { isCoded } from './exit-code.js';
import { taskExamples } from './steering-source.js';
import { speaksPocket, type TaskModel } from './task-source.js';

/** Which prompts. */
export interface ControlRequest {
  /** What was learnt: no prompt is of its family. Undefined for examples of one's own. */
  readonly task: string | undefined;
  readonly seed: number;
  readonly positions: PositionTable;
  /** How many of each family. Default 8. */
  readonly each?: number | undefined;
}

/** The base task of every family that has one right and one wrong answer. */
const BASES: readonly TaskId[] = ['ioi', 'gender', 'country-capital', 'hypernymy'];

/**
 * Prompts of every other family of tasks that the model speaks. Where values are by absolute place, each is brought to their length: other
 * prompts stand in front of it, the foremost cut off, so that it ends as it always does. None where the model speaks no other task, or
 * where positions are by role and the tokenizer leaves tokens without names.
 */
export function controlPrompts({ task, seed, positions, each = 8 }: ControlRequest, model: TaskModel): ControlPrompt[] {
  const own = familyOf(task);
  const found = BASES.filter((base) => base !== own && speaks(base, model)).flatMap((base) =>
    drawn(base, { n: each, seed }, model),
  );
  if (positions.mode === 'role') return found.filter(({ roles }) => roles !== undefined);
  return positions.mode === 'absolute' ? broughtTo(positions, found) : found;
}

/** 'ioi' of 'ioi-abb': as text there are tasks that pocket has not. */
function familyOf(task: string | undefined): string | undefined {
  return BASES.find((base) => task !== undefined && (task === base || task.startsWith(`${base}-`)));
}

function speaks(task: TaskId, { info, tokenizer }: TaskModel): boolean {
  if (speaksPocket(info, tokenizer)) return TASKS.some(({ id }) => id === task);
  return tokenizer !== undefined && TEXT_TASKS.some(({ id }) => id === task);
}

/** None where a tokenizer spells the answers of a task in several tokens, has too few of its words, or lacks the BOS that is asked for. */
function drawn(task: TaskId, wanted: { readonly n: number; readonly seed: number }, model: TaskModel) {
  try {
    return taskExamples(task, wanted, model).examples;
  } catch (error) {
    if (isCoded(error) && (error.code.startsWith('tasks/') || error.code === 'data/pairs-no-bos')) return [];
    throw error;
  }
}

function broughtTo(
  { length = 0, skip }: PositionTable,
  prompts: readonly Pick<SteeringExample, 'prompt'>[],
): ControlPrompt[] {
  const bodies = prompts.map(({ prompt }) => prompt.slice(skip));
  return prompts.map(({ prompt }, i) => {
    let body: readonly number[] = [];
    for (let back = 0; body.length < length - skip; back++)
      body = [...(bodies[(i - (back % bodies.length) + bodies.length) % bodies.length] as readonly number[]), ...body];
    return { prompt: [...prompt.slice(0, skip), ...body.slice(body.length - (length - skip))] };
  });
}
