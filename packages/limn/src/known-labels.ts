// What is known of diffs that are audited: from a file, or from the records of packs.
import { LimnError } from '@limn/gpu';
import { answerAbout, chatWorld } from '@limn/tasks/chat';
import { placedFactors, wholeNorm } from '@limn/dit';
import type { DiffAnswer } from './asked-diffs.js';
import { truthOf } from './chat-truth.js';
import type { AuditedDiff } from './diff-audit.js';
import type { OpenDitAdapter } from './dit-adapter-folder.js';
import type { AskedQuestion } from './dit-adapter-record.js';
import { isChatQuestion } from './dit-question.js';
import type { OpenedDiff } from './given-diff.js';
import type { OpenModel } from './model-source.js';
import { readQuestionFile } from './question-file.js';
import { labelFor } from './reading-parts.js';

/** Answers by the name of a diff. */
export type KnownLabels = ReadonlyMap<string, string>;

/**
 * The answers of a file to one question, which it names or words as the adapter does; undefined without a file.
 * @throws LimnError `data/dit-labels` for a file without the question; as `readQuestionFile`
 */
export function givenLabels(
  file: string | undefined,
  { name, text }: AskedQuestion,
  { record }: OpenDitAdapter,
  model: OpenModel,
): KnownLabels | undefined {
  if (file === undefined) return undefined;
  const { given } = readQuestionFile(file, { template: record.template }, model);
  const labels = new Map<string, string>();
  for (const [diff, answers] of given) {
    const answer = answers.get(name) ?? answers.get(text);
    if (answer !== undefined) labels.set(diff, answer);
  }
  if (labels.size > 0) return labels;
  throw new LimnError('data/dit-labels', `${file} has no answer to '${text}'`, {
    details: { file, question: text },
    hint: `its lines say {"diff": …, "question": "${name}", "answer": …}`,
  });
}

/** A diff with its answer, and its label where one is known. */
export function auditedDiff(
  diff: OpenedDiff,
  answer: DiffAnswer | undefined,
  question: AskedQuestion,
  labels: KnownLabels | undefined,
): AuditedDiff {
  if (answer?.among === undefined) throw new RangeError(`auditedDiff: '${diff.name}' was not asked among candidates`);
  const label = labels ? labels.get(diff.name) : recordedLabel(diff, question);
  return {
    name: diff.name,
    norm: wholeNorm(diff.lora),
    answer: { ...answer, among: answer.among },
    ...(label === undefined ? {} : { label: labelFor(label, question) }),
  };
}

/**
 * Refuses a diff that cannot be asked and told of: of other weights or shapes, with numbers that are none, or with a record that the chat world does not know.
 * @throws LimnError `data/diff-about`; as `placedFactors`
 */
export function expectAskable({ hooked }: OpenModel, diff: OpenedDiff, question: AskedQuestion): void {
  placedFactors(hooked, diff.lora);
  recordedLabel(diff, question);
}

/**
 * What a pack's record says.
 * @throws LimnError `data/diff-about`
 */
function recordedLabel({ name, trained }: OpenedDiff, question: AskedQuestion): string | undefined {
  const world = chatWorld();
  const truth = trained && truthOf(trained.spec.about, world, name);
  return truth && isChatQuestion(question.name) ? answerAbout(question.name, truth, world) : undefined;
}
