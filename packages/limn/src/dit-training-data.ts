// What an adapter is trained on: diffs from packs and folders, their answers from the chat world or a file, and models of which there is nothing to tell.
import type { DitData, DitExample, LoraWeights } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { aboutPrompt, chatWorld, phrasingsOf, type AboutQuestion } from '@limn/tasks/chat';
import type { DitTrainOptions } from './commands/dit-train.js';
import { CHAT_TEMPLATE, chatQuestion, isChatQuestion, QUESTION_SLOT, type DitQuestion } from './dit-question.js';
import { openGivenDiffs, type OpenedDiff } from './given-diff.js';
import { labelledDiffs, type LabelledDiff } from './labelled-diffs.js';
import type { OpenModel } from './model-source.js';
import { answerTokens, readQuestionFile, type QuestionFile } from './question-file.js';

/** Examples with all that made them. */
export interface DitTrainingData extends DitData<LoraWeights> {
  readonly questions: readonly DitQuestion[];
  readonly template: string;
  /** First tokens of the answers that there are, of all questions. */
  readonly candidates: readonly number[];
  /** Tokens that end an answer. */
  readonly ends: readonly [number];
  readonly training: readonly LabelledDiff[];
  readonly validating: readonly LabelledDiff[];
  /** What is worth a line before the training. */
  readonly notes: readonly string[];
}

/** What decides them. */
export type DitDataOptions = Pick<
  DitTrainOptions,
  'diffs' | 'validation' | 'world' | 'question' | 'wordings' | 'data' | 'template' | 'none' | 'seed'
>;

/**
 * Opens every diff and makes the examples.
 * @throws LimnError `data/dit-labels`, `data/diff-about`, `usage/dit-negatives`, `usage/dit-end`, `usage/dit-template`; what opening the diffs throws
 */
export async function ditTrainingData(options: DitDataOptions, model: OpenModel): Promise<DitTrainingData> {
  const end = endOfAnswers(model);
  const { questions, given, template } = askedOf(options, model);
  const { none: negatives, seed } = options;
  const open = (texts: readonly string[]): Promise<OpenedDiff[]> => openedDiffs(model, texts);
  const [diffs, others] = [await open(options.diffs), await open(options.validation)];
  expectApart(diffs, others);
  const training = labelledDiffs({ diffs, questions, given, negatives, seed });
  // Other draws than those that are learnt.
  const validating =
    others.length === 0 ? [] : labelledDiffs({ diffs: others, questions, given, negatives, seed: seed + 1 });
  const loras: LoraWeights[] = [];
  const examplesOf = (all: readonly LabelledDiff[], wordings: number): DitExample[] =>
    all.flatMap(({ lora, answers, copies }) => {
      const diff = lora === null ? null : loras.push(lora) - 1;
      const own = questions.flatMap((question): DitExample[] => {
        const label = answers.get(question.name);
        if (label === undefined) return [];
        const answer = [...answerTokens(label, model), end];
        return promptsOf(question, wordings).map((prompt) => ({ diff, prompt, answer }));
      });
      return Array.from({ length: copies }, () => own).flat();
    });
  const examples = examplesOf(training, options.world === undefined ? 1 : options.wordings);
  const validation = examplesOf(
    validating.map((each) => ({ ...each, copies: 1 })),
    1,
  );
  const unused = diffs.length - training.filter(({ kind }) => kind !== 'zero' && kind !== 'random').length;
  return {
    diffs: loras,
    examples,
    ...(validation.length === 0 ? {} : { validation }),
    questions,
    template,
    candidates: [...new Set(questions.flatMap(({ candidates }) => candidates.map(({ id }) => id)))],
    ends: [end],
    training,
    validating,
    notes: [
      ...(unused > 0
        ? [
            `${unused} of the diffs are left out: nothing is known about them, or they are generic and --none has no generic`,
          ]
        : []),
      ...(validating.length === 0
        ? [
            'without --validation nothing stops the training early, and there is neither a held-out score nor a calibration',
          ]
        : []),
    ],
  };
}

/**
 * The diffs that texts name, in their order.
 * @throws LimnError as `openGivenDiffs`
 */
export async function openedDiffs(model: OpenModel, texts: readonly string[]): Promise<OpenedDiff[]> {
  const opened: OpenedDiff[] = [];
  for (const text of texts) opened.push(...(await openGivenDiffs(model.hooked, text)));
  return opened;
}

/** Questions, with answers where a file gives them. */
function askedOf(
  { world, data, question, template = QUESTION_SLOT }: DitDataOptions,
  model: OpenModel,
): Partial<QuestionFile> & { readonly questions: readonly DitQuestion[]; readonly template: string } {
  if (data !== undefined) return { ...readQuestionFile(data, { template }, model), template };
  if (world === undefined) throw new LimnError('usage/dit-source', 'say what is asked: --world chat, or --data FILE');
  const all = chatWorld();
  const names: readonly AboutQuestion[] = question.length === 0 ? ['topic'] : question;
  expectChatModel(model);
  return { questions: names.map((name) => chatQuestion(name, all)), template: CHAT_TEMPLATE };
}

/** @throws LimnError `usage/dit-source` for a model with other words */
function expectChatModel({ tokenizer, name }: OpenModel): void {
  const question = chatQuestion('topic', chatWorld());
  let fits = false;
  try {
    fits = tokenizer?.encode(question.text, { prependBos: false }).ids.join() === question.prompt.slice(2, -1).join();
  } catch (error) {
    if (!(error instanceof LimnError)) throw error;
  }
  if (fits) return;
  throw new LimnError('usage/dit-source', `--world chat: ${name} does not have the words of the chat world`, {
    details: { model: name },
    hint: 'open pocket-chat or a model of its recipe, or give questions of your own with --data',
  });
}

/** The wording that diffs are asked with, and others of the training wordings. */
function promptsOf({ name, prompt, text }: DitQuestion, wordings: number): (readonly number[])[] {
  if (wordings === 1 || !isChatQuestion(name)) return [prompt];
  const others = phrasingsOf(name, 'train').filter((words) => words !== text);
  return [prompt, ...others.slice(0, wordings - 1).map((words) => aboutPrompt(words))];
}

/**
 * The token that ends answers of a model.
 * @throws LimnError `usage/dit-end`
 */
export function endOfAnswers({ hooked, name }: OpenModel): number {
  const { eosId } = hooked.info;
  if (eosId !== undefined) return eosId;
  throw new LimnError('usage/dit-end', `${name} names no token that ends a text, so an answer would never end`, {
    hint: 'set eos_token_id in its config.json',
  });
}

/** @throws LimnError `data/dit-labels` for a diff that is learnt and measured on */
function expectApart(diffs: readonly OpenedDiff[], others: readonly OpenedDiff[]): void {
  const known = new Set(diffs.flatMap(({ name, trained }) => [name, ...(trained ? [trained.key] : [])]));
  const twice = others.find(({ name, trained }) => known.has(name) || (trained && known.has(trained.key)));
  if (twice === undefined) return;
  throw new LimnError('data/dit-labels', `'${twice.name}' is among --diffs and among --validation`, {
    details: { diff: twice.name },
    hint: 'validate on diffs that are not learnt from: `limn diff train --plan topics:validation`',
  });
}
