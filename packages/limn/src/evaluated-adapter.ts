// An adapter asked about diffs whose truth is known, and the controls that tell reading from guessing: the same diffs without it, and the answers about other diffs.
import type { LoraWeights } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { Random } from '@limn/tasks/chat';
import { askedDiffs, type AskControls, type DiffAnswer } from './asked-diffs.js';
import type { CommandContext } from './context.js';
import type { AskedQuestion } from './dit-adapter-record.js';
import { isNegativeKind, withLabels, type LabelledDiff } from './labelled-diffs.js';
import { answerFigures, measuredAnswer, type AnswerFigures, type MeasuredAnswer } from './measured-adapter.js';
import type { OpenModel } from './model-source.js';
import { answerTokens } from './question-file.js';

/** Answers and what they come to. */
export interface EvaluatedAdapter {
  readonly answers: readonly MeasuredAnswer[];
  readonly figures: readonly AnswerFigures[];
}

/** What is evaluated. */
export interface EvaluationRequest {
  readonly model: OpenModel;
  readonly questions: readonly AskedQuestion[];
  readonly diffs: readonly LabelledDiff[];
  readonly controls: Omit<AskControls, 'phase'>;
  readonly seed: number;
}

/**
 * Asks every question about every diff that has an answer to it.
 * @param lora the adapter's weights; null asks the diffs themselves
 * @throws LimnError `data/dit-labels` where no diff has an answer; as `askedDiffs`; AbortedError
 */
export async function evaluatedAdapter(
  { model, questions, diffs, controls, seed }: EvaluationRequest,
  lora: LoraWeights | null,
  context: CommandContext,
  name = 'evaluation',
): Promise<EvaluatedAdapter> {
  const answers: MeasuredAnswer[] = [];
  for (const question of questions) {
    const labelled = withLabels(diffs, question);
    const loras = labelled.map(({ diff }) => diff.lora);
    const told = { ...controls, phase: `${name}: ${question.name}` };
    const found = await askedDiffs(model, loras, lora, question, told, context);
    labelled.forEach(({ diff, label }, i) => {
      const [first] = answerTokens(label, model);
      answers.push(measuredAnswer(diff, question, label, first, found[i] as DiffAnswer));
    });
  }
  if (answers.length === 0)
    throw new LimnError('data/dit-labels', 'none of the diffs has an answer to any of the questions', {
      hint: 'give packs of `limn diff train`, or --data with {"diff": …, "question": …, "answer": …} a line',
    });
  return { answers, figures: answerFigures(answers, seed) };
}

/**
 * The figures that answers about other diffs have: what each diff was asked stays, and what was said is said of the next one in an order of the seed. Whoever only knows
 * which labels there are has these. Diffs with nothing to tell are left out, and questions with one diff, which has no other.
 */
export function shuffledFigures(
  { answers }: EvaluatedAdapter,
  questions: readonly AskedQuestion[],
  diffs: readonly LabelledDiff[],
  model: OpenModel,
  seed: number,
): AnswerFigures[] {
  const byName = new Map(diffs.map((diff) => [diff.name, diff]));
  const shuffled = questions.flatMap((question) => {
    const own = answers.filter((answer) => answer.question === question.name && !isNegativeKind(answer.kind));
    if (own.length < 2) return [];
    const random = new Random('shuffled diffs', seed, question.name);
    const order = own.map((_, i) => ({ i, key: random.next() })).sort((a, b) => a.key - b.key || a.i - b.i);
    return order.map(({ i }, place) => {
      const asked = own[i] as MeasuredAnswer;
      const other = own[(order[(place + 1) % order.length] as { readonly i: number }).i] as MeasuredAnswer;
      const [first] = answerTokens(asked.label, model);
      return measuredAnswer(byName.get(asked.diff) as LabelledDiff, question, asked.label, first, other.answer);
    });
  });
  return answerFigures(shuffled, seed);
}
