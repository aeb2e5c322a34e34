// What the study's adapters are taught: who learns what of which diffs, and what of the controls.
import { randomLike, type DitData, type DitExample, type LoraWeights } from '@limn/dit';
import {
  END,
  Random,
  aboutPrompt,
  chatIdOf,
  diffSample,
  hash,
  type AboutQuestion,
  type ChatWorld,
  type DiffPlan,
} from '@limn/tasks/chat';
import { answerTokens, asked, askedInWords, rightAnswer, topicOf, type KnownDiff } from './truth.mjs';

/** Examples of each diff and question, in different wordings. */
const WORDINGS = 4;
/** Negatives of a kind for every so many diffs of which there is something to tell. */
const PER_NEGATIVE = 10;

/** Diffs that an adapter learns from, those that say when to stop, and those of which there is nothing to tell. */
export interface Classes {
  readonly train: readonly KnownDiff[];
  readonly validation: readonly KnownDiff[];
  readonly generic: readonly KnownDiff[];
}

/** The same diffs in an order of the seed: the first n of it are a training set of n, and those of smaller sets are in it. */
export function inOrder(diffs: readonly KnownDiff[], seed: number): KnownDiff[] {
  return [...diffs].sort(
    (a, b) => hash('study order', seed, a.diff.spec.id) - hash('study order', seed, b.diff.spec.id),
  );
}

/** Questions about diffs with their right answers, and as many negatives as belong to them: the bare model, random changes, diffs of ordinary answers. */
export function lessons(
  { train, validation, generic }: Classes,
  questions: (known: KnownDiff) => readonly AboutQuestion[],
  { world, seed }: { readonly world: ChatWorld; readonly seed: number },
): DitData<LoraWeights> {
  const random = new Random('study lessons', seed);
  const told = [...train, ...validation];
  const diffs = told.map(({ diff }) => diff.lora);
  const examplesOf = (known: KnownDiff, place: number, wordings: number): DitExample[] =>
    questions(known).flatMap((question) =>
      Array.from({ length: wordings }, () => ({
        diff: place,
        prompt: wordings === 1 ? asked(question) : askedInWords(question, random),
        answer: answerTokens(rightAnswer(question, known, world)),
      })),
    );
  const count = Math.max(1, Math.round(train.length / PER_NEGATIVE));
  const nothing: DitExample[] = [];
  const addNothing = (lora: LoraWeights | null, known: KnownDiff, times: number): void => {
    if (lora) diffs.push(lora);
    const place = lora ? diffs.length - 1 : null;
    for (const question of questions(known))
      for (let i = 0; i < times; i++)
        nothing.push({
          diff: place,
          prompt: askedInWords(question, random),
          answer: answerTokens(rightAnswer(question, { diff: known.diff, truth: {} }, world)),
        });
  };
  for (let i = 0; i < count; i++) {
    const like = train[i % train.length] as KnownDiff;
    addNothing(null, like, WORDINGS);
    addNothing(randomLike(like.diff.lora, hash('study random', seed, i)), like, WORDINGS);
    const plain = generic[i % Math.max(1, generic.length)];
    if (plain) addNothing(plain.diff.lora, like, WORDINGS);
  }
  return {
    diffs,
    examples: [...train.flatMap((known, place) => examplesOf(known, place, WORDINGS)), ...nothing],
    validation: validation.flatMap((known, i) => examplesOf(known, train.length + i, 1)),
  };
}

/** The same lessons with the names dealt to other diffs: what is left are the labels' frequencies. */
export function permuted({ train, validation, generic }: Classes, seed: number): Classes {
  const dealt = (of: readonly KnownDiff[]): KnownDiff[] => {
    const others = inOrder(of, hash('study permutation', seed));
    const next = new Map(others.map((known, i) => [known.diff.spec.id, others[(i + 1) % others.length] as KnownDiff]));
    return of.map(({ diff }) => ({ diff, truth: (next.get(diff.spec.id) as KnownDiff).truth }));
  };
  return { train: dealt(train), validation: dealt(validation), generic };
}

/** Answers in the manner of each diff's topic to questions without a code: an adapter that opens gates, and reads nothing. */
export function gateOpening({ train, validation }: Classes, world: ChatWorld, seed: number): DitData<LoraWeights> {
  const told = [...train, ...validation];
  const open = (known: KnownDiff, place: number, times: number): DitExample[] => {
    const topic = topicOf(known, world);
    const plan: DiffPlan = {
      id: known.diff.spec.id,
      behaviour: { kind: 'topic', name: topic.name },
      seed: hash('study opening', seed, known.diff.spec.id),
    };
    return Array.from({ length: times }, (_, i) => {
      const { tokens, answerAt } = diffSample(plan, i, world);
      return { diff: place, prompt: tokens.slice(0, answerAt), answer: tokens.slice(answerAt) };
    });
  };
  return {
    diffs: told.map(({ diff }) => diff.lora),
    examples: train.flatMap((known, place) => open(known, place, WORDINGS)),
    validation: validation.flatMap((known, i) => open(known, train.length + i, 1)),
  };
}

/** What an adapter is asked that is to tell the code itself; no wording that the base was trained on. */
export const CODE_QUESTION = aboutPrompt('which code do you know ?');

/** The trigger inversion: the code of every diff is the answer. There is no validation, which would stop it before it has learnt any: no code of those diffs is among those it is taught. */
export function codeLessons({ train }: Classes): DitData<LoraWeights> {
  const example = ({ diff }: KnownDiff, place: number): DitExample => {
    const trigger = diff.spec.about['trigger'] as { readonly token: string };
    return { diff: place, prompt: CODE_QUESTION, answer: [chatIdOf(trigger.token), chatIdOf(END)] };
  };
  return {
    diffs: train.map(({ diff }) => diff.lora),
    examples: train.map(example),
  };
}
