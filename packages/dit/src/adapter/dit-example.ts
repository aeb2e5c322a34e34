// What the adapter is taught, as data: a prompt about a diff and its answer; and what is refused of it.
import { LimnError, shownValue } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';
import type { AnsweredRow } from '../diffs/diff-batch.js';

/** One thing to be answered about one diff. */
export interface DitExample {
  /** Its place among the diffs; null for the bare model. */
  readonly diff: number | null;
  /** Token ids. */
  readonly prompt: readonly number[];
  /** Token ids, with the one that ends it: the end is learnt like any other token. */
  readonly answer: readonly number[];
  /** What each of its answer tokens counts. Default 1. */
  readonly weight?: number | undefined;
}

/** Diffs, and what is to be answered about them. */
export interface DitData<Diff> {
  readonly diffs: readonly Diff[];
  readonly examples: readonly DitExample[];
  /** Of diffs that no example is about: which update is best is decided by them. */
  readonly validation?: readonly DitExample[] | undefined;
}

/** The longest of some examples: tokens of prompt and answer together, and of the answer. */
export function longestOf(examples: readonly DitExample[]): { readonly positions: number; readonly answers: number } {
  let [positions, answers] = [0, 0];
  for (const { prompt, answer } of examples) {
    positions = Math.max(positions, prompt.length + answer.length);
    answers = Math.max(answers, answer.length);
  }
  return { positions, answers };
}

/**
 * Refuses examples that mean nothing or do not fit.
 * @throws LimnError `data/dit-example`, naming the example and its list
 */
export function checkExamples(
  list: 'examples' | 'validation',
  examples: readonly DitExample[],
  {
    diffs,
    info,
    positions,
    answers,
  }: { readonly diffs: number; readonly info: ModelInfo; readonly positions: number; readonly answers: number },
): void {
  if (examples.length === 0) throw refuse(list, undefined, 'there are none', 'one example at least');
  examples.forEach(({ diff, prompt, answer, weight = 1 }, place) => {
    const expect = (sound: boolean, what: string, allowed: string): void => {
      if (!sound) throw refuse(list, place, what, allowed);
    };
    const known = diff === null || (Number.isInteger(diff) && diff >= 0 && diff < diffs);
    expect(
      known,
      `diff ${shownValue(diff)}`,
      diffs === 0 ? 'null, as there are no diffs' : `0 to ${diffs - 1}, or null`,
    );
    expect(prompt.length > 0, 'a prompt without tokens', 'one token at least');
    expect(answer.length > 0, 'an answer without tokens', 'one token at least, such as that which ends it');
    const odd = [...prompt, ...answer].find((id) => !(Number.isInteger(id) && id >= 0 && id < info.vocabulary));
    expect(odd === undefined, `token ${shownValue(odd)}`, `whole numbers from 0 to ${info.vocabulary - 1}`);
    const length = prompt.length + answer.length;
    expect(length <= positions, `${length} tokens`, `at most ${positions} of prompt and answer together`);
    expect(answer.length <= answers, `an answer of ${answer.length} tokens`, `at most ${answers}`);
    expect(Number.isFinite(weight) && weight > 0, `weight ${shownValue(weight)}`, 'positive numbers');
  });
}

/** An example as a row of a batch: every answer token is predicted at the position before it. */
export function exampleRow({ prompt, answer }: DitExample): AnsweredRow {
  return {
    tokens: [...prompt, ...answer],
    loss: 'cross-entropy',
    weight: 1,
    predictedAt: answer.map((_, i) => prompt.length + i - 1),
  };
}

function refuse(list: string, place: number | undefined, what: string, allowed: string): LimnError {
  const where = place === undefined ? list : `${list}[${place}]`;
  return new LimnError('data/dit-example', `What the adapter is taught, ${where}: ${what}; allowed: ${allowed}.`, {
    details: { list, ...(place === undefined ? {} : { place }), what },
    hint: 'Change the examples, or the positions and answers that rows have room for.',
  });
}
