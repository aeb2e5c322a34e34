// What an adapter is trained on: diffs from packs and folders, their answers from the chat world or a file, and models of which there is nothing to tell.
import { loraDigest, type DitData, type DitExample, type LoraWeights } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { aboutPrompt, chatWorld, phrasingsOf, type AboutQuestion } from '@limn/tasks/chat';
import type { DitTrainOptions } from './commands/dit-train.js';
import { CHAT_TEMPLATE, chatQuestion, isChatQuestion, QUESTION_SLOT, type DitQuestion } from './dit-question.js';
import { openGivenDiffs, type OpenedDiff } from './given-diff.js';
import type { OpenDitAdapter } from './dit-adapter-folder.js';
import type { DitAdapterFile } from './dit-adapter-record.js';
import { labelledDiffs, type LabelledDiff } from './labelled-diffs.js';
import { MEASURED_NEGATIVES, type NegativePurpose, type NegativeShares } from './negative-diffs.js';
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
  /** What decides nothing, and is asked at the end. */
  readonly testing: readonly LabelledDiff[];
  /** Digests of the diffs that were given. */
  readonly seen: DitAdapterFile['seen'];
  /** What is worth a line before the training. */
  readonly notes: readonly string[];
}

/** What decides them. */
export type DitDataOptions = Pick<
  DitTrainOptions,
  'diffs' | 'validation' | 'test' | 'world' | 'question' | 'wordings' | 'data' | 'template' | 'none' | 'seed'
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
  const [diffs, others, tests] = [
    await open(options.diffs),
    await open(options.validation),
    await open(options.test),
  ] as const;
  const seen = { training: await digestsOf(diffs), validation: await digestsOf(others), test: await digestsOf(tests) };
  expectApart([
    { option: '--diffs', diffs, digests: seen.training },
    { option: '--validation', diffs: others, digests: seen.validation },
    { option: '--test', diffs: tests, digests: seen.test },
  ]);
  const labelled = (own: OpenedDiff[], shares: NegativeShares, purpose: NegativePurpose): LabelledDiff[] =>
    own.length === 0 ? [] : labelledDiffs({ diffs: own, questions, given, negatives: shares, seed, purpose });
  const training = labelled(diffs, negatives, 'training');
  const validating = labelled(others, negatives, 'validation');
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
    testing: labelled(tests, MEASURED_NEGATIVES, 'evaluation'),
    seen,
    notes: [
      ...(unused > 0
        ? [
            `${unused} of the diffs are left out: nothing is known about them, or they are generic and --none has no generic`,
          ]
        : []),
      ...(validating.length === 0
        ? ['without --validation nothing stops the training early, and there is no calibration']
        : []),
      ...(tests.length === 0
        ? ['without --test it is not known how often the adapter is right about diffs that decided nothing']
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

/** Of a diff the first half of a sha256: enough to know it again. */
export const digestsOf = (diffs: readonly OpenedDiff[]): Promise<string[]> =>
  Promise.all(diffs.map(async ({ lora }) => (await loraDigest(lora)).slice(0, 32)));

/** Names of the diffs that an adapter was trained or stopped by. */
export async function seenDiffs(diffs: readonly OpenedDiff[], { record }: OpenDitAdapter): Promise<string[]> {
  const seen = new Set([...record.seen.training, ...record.seen.validation]);
  const digests = await digestsOf(diffs);
  return diffs.flatMap(({ name }, i) => (seen.has(digests[i] as string) ? [name] : []));
}

interface GivenDiffs {
  readonly option: string;
  readonly diffs: readonly OpenedDiff[];
  readonly digests: readonly string[];
}

/** @throws LimnError `data/dit-labels` for a diff that is given twice for different purposes, under whatever name */
function expectApart(all: readonly GivenDiffs[]): void {
  const known = new Map<string, string>();
  for (const { option, diffs, digests } of all)
    diffs.forEach(({ name, trained }, i) => {
      for (const mark of [digests[i] ?? '', ...(trained ? [trained.key] : [])]) {
        const other = known.get(mark) ?? option;
        known.set(mark, other);
        if (other !== option)
          throw new LimnError('data/dit-labels', `'${name}' is among ${other} and among ${option}`, {
            details: { diff: name },
            hint: 'measure on diffs that are not learnt from: `limn diff train --plan topics:validation` and `topics:test`',
          });
      }
    });
}
