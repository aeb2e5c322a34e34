// What a patching sweep measures: a number per prompt from its logits, on the GPU or on the host; the logit difference is ready-made.
import { LimnError, shownValue, type Step } from '@limn/gpu';
import { fromData, gatherLogits, type Tensor } from '@limn/tensor';
import type { ModelInfo } from './model.js';

/** Computed on the GPU: only one number per row is read back. */
export interface GpuPatchMetric {
  readonly name: string;
  /** Refuses, before any work, answers that do not fit `prompts` prompts of this model. */
  check?(info: ModelInfo, prompts: number): void;
  /** One number per row, [R], from logits [R, V], or [R, T, V] where a sweep takes all positions. Row r belongs to prompt prompts[r]. */
  value(step: Step, logits: Tensor, prompts: readonly number[]): Tensor;
}

/** Computed on the host: the logits themselves are read back. */
export interface HostPatchMetric {
  readonly name: string;
  /** A number from the logits of one row, V or T·V values. */
  onHost(logits: Float32Array, prompt: number): number;
}

/** What a sweep measures: a number per prompt, on the GPU or on the host. */
export type PatchMetric = GpuPatchMetric | HostPatchMetric;

/** A metric written as a plain function of the logits of one prompt at its last token (V values; T·V where a sweep takes all positions). */
export function hostMetric(name: string, onHost: HostPatchMetric['onHost']): HostPatchMetric {
  return { name, onHost };
}

/** @throws LimnError `hooks/bad-option` for what is no metric */
export function checkMetric(given: unknown): asserts given is PatchMetric {
  const { value, onHost } = Object(given) as Partial<GpuPatchMetric & HostPatchMetric>;
  if (typeof value === 'function' || typeof onHost === 'function') return;
  const what = typeof given === 'function' ? 'a function' : shownValue(given);
  throw new LimnError('hooks/bad-option', `metric is ${what}, which is no metric`, {
    details: { given: what },
    hint:
      typeof given === 'function'
        ? "Wrap a function of one prompt's logits: hostMetric('name', (logits, prompt) => number)."
        : 'Give logitDifference(correct, incorrect), hostMetric(name, function) or { name, value }.',
  });
}

/** One token id, or several per prompt, whose logits are averaged: the same for all prompts, or one entry per prompt. */
export type AnswerLists = number | readonly (number | readonly number[])[];

/**
 * Mean logit of the correct answers minus mean logit of the incorrect ones, at the last token of each prompt.
 * @throws LimnError in the sweep: `hooks/bad-rows`, `tokens/not-in-vocabulary`; `hooks/wrong-shape` for logits at every position
 */
export function logitDifference(correct: AnswerLists, incorrect: AnswerLists): GpuPatchMetric {
  return {
    name: 'logit-diff',
    check(info, prompts) {
      answersOf(correct, prompts, info, 'correct');
      answersOf(incorrect, prompts, info, 'incorrect');
    },
    value(step, logits, prompts) {
      if (logits.shape.length !== 2)
        throw new LimnError('hooks/wrong-shape', `logit-diff takes logits [R, V], got [${logits.shape.join(', ')}]`, {
          hint: "Leave out logits: 'all', or give a metric of your own.",
        });
      const of = (given: AnswerLists, prompt: number) => listAt(given, prompt);
      return weightedLogits(
        step,
        logits,
        prompts.map((prompt) => of(correct, prompt)),
        prompts.map((prompt) => of(incorrect, prompt)),
      );
    },
  };
}

/** Mean logit of ids in `up` minus mean logit of ids in `down`, per row: logits [R, V] → [R]. */
export function weightedLogits(
  step: Step,
  logits: Tensor,
  up: readonly (readonly number[])[],
  down: readonly (readonly number[])[],
): Tensor {
  const rows = up.length;
  const width = Math.max(...up.map((ids, r) => ids.length + (down[r]?.length ?? 0)));
  const ids = new Uint32Array(rows * width);
  const weights = new Float32Array(rows * width);
  for (let r = 0; r < rows; r++) {
    let at = r * width;
    for (const [list, sign] of [
      [up[r] ?? [], 1],
      [down[r] ?? [], -1],
    ] as const)
      for (const id of list) {
        ids[at] = id;
        weights[at++] = sign / list.length;
      }
  }
  return gatherLogits(step, logits, fromData(step, ids, [rows, width]), fromData(step, weights, [rows, width]));
}

/**
 * Answers as one list per prompt.
 * @throws LimnError `hooks/bad-rows` for a list that does not fit the prompts or is empty, `tokens/not-in-vocabulary`
 */
export function answersOf(given: AnswerLists, prompts: number, info: ModelInfo, side: string): readonly number[][] {
  const entries = typeof given === 'number' ? prompts : entriesOf(given);
  if (entries !== prompts)
    throw new LimnError(
      'hooks/bad-rows',
      `${side} ${entries === undefined ? `is ${shownValue(given)}` : `has ${entries} entries`} for ${prompts} prompts`,
      {
        details: { side, given: entries ?? shownValue(given), expected: prompts },
        hint: 'Give one token id for all prompts, or one entry per prompt.',
      },
    );
  const lists = Array.from({ length: prompts }, (_, prompt) => listAt(given, prompt));
  for (const [prompt, list] of lists.entries()) {
    if (list.length === 0) throw new LimnError('hooks/bad-rows', `${side}: prompt ${prompt} has no token ids`);
    const bad = list.find((id) => !Number.isInteger(id) || id < 0 || id >= info.vocabulary);
    if (bad === undefined) continue;
    throw new LimnError(
      'tokens/not-in-vocabulary',
      `${side}, prompt ${prompt}: token id ${typeof bad === 'number' ? bad : `${shownValue(bad)}, a ${typeof bad},`} is not in the vocabulary (0–${info.vocabulary - 1})`,
      {
        details: { side, prompt, id: bad, vocabulary: info.vocabulary },
        hint: 'Use the tokenizer that belongs to this model.',
      },
    );
  }
  return lists;
}

/** The length of a list; undefined for what is none. */
function entriesOf(given: unknown): number | undefined {
  return Array.isArray(given) || ArrayBuffer.isView(given)
    ? (given as unknown as ArrayLike<unknown>).length
    : undefined;
}

function listAt(given: AnswerLists, prompt: number): number[] {
  const entry = typeof given === 'number' ? given : (given[prompt] as number | readonly number[]);
  return entriesOf(entry) === undefined ? [entry as number] : Array.from(entry as readonly number[]);
}
