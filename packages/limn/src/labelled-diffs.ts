// Diffs with what is true of them: which answer each question has, for an adapter to be trained or measured by.
import type { LoraWeights } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { answerAbout, chatWorld, type ChatWorld } from '@limn/tasks/chat';
import { kindOf, truthOf } from './chat-truth.js';
import { isChatQuestion, type DitQuestion } from './dit-question.js';
import type { OpenedDiff } from './given-diff.js';
import { randomDiffs, type NegativePurpose, type NegativeShares } from './negative-diffs.js';

/** One diff, and the answers to questions about it. */
export interface LabelledDiff {
  /** Unique among those of a call. */
  readonly name: string;
  /** What it was trained to do: 'topic', …; 'none' for ordinary answers; or the negative that it is: 'zero', 'random'. */
  readonly kind: string;
  /** null: the bare model. */
  readonly lora: LoraWeights | null;
  /** Answers by the name of the question; questions that nothing is known about are absent. */
  readonly answers: ReadonlyMap<string, string>;
  /** How often it counts in a training. */
  readonly copies: number;
}

/** The kinds of which there is nothing to tell. */
export const isNegativeKind = (kind: string): boolean => ['none', 'zero', 'random'].includes(kind);

/** What is labelled. */
export interface LabelRequest {
  readonly diffs: readonly OpenedDiff[];
  readonly questions: readonly DitQuestion[];
  /** Answers by the name of a diff, or '' for the bare model, and the name of a question; instead of the chat world's. */
  readonly given?: ReadonlyMap<string, ReadonlyMap<string, string>> | undefined;
  readonly negatives: NegativeShares;
  /** Of random changes. */
  readonly seed: number;
  readonly purpose: NegativePurpose;
}

/**
 * Every diff with its answers, and beside them as many negatives as the shares say. Diffs trained on ordinary answers are there only where the
 * shares have `generic`, and then all of them, each at least once.
 * @throws LimnError `data/diff-about`, `usage/dit-negatives` where `generic` alone is asked for and there is none; `data/dit-labels` where two diffs have
 * one name, or none has an answer
 */
export function labelledDiffs(request: LabelRequest): LabelledDiff[] {
  const { diffs, questions, negatives } = request;
  const answersFor = labeller(request, chatWorld());
  const named = new Set<string>();
  const known = diffs.flatMap((diff): LabelledDiff[] => {
    if (named.has(diff.name)) throw noLabels(`two diffs are called '${diff.name}'`);
    named.add(diff.name);
    const { kind, answers } = answersFor(diff);
    return answers.size === 0 ? [] : [{ name: diff.name, kind, lora: diff.lora, answers, copies: 1 }];
  });
  const telling = known.filter(({ kind }) => !isNegativeKind(kind));
  const generic = known.filter(({ kind }) => isNegativeKind(kind));
  if (known.length === 0) throw noLabels('none of the diffs has an answer to any of the questions');
  const counts = (share: number | undefined): number => (share === undefined ? 0 : Math.ceil(share * telling.length));
  if (
    negatives.generic !== undefined &&
    generic.length === 0 &&
    negatives.zero === undefined &&
    negatives.random === undefined
  )
    throw new LimnError('usage/dit-negatives', '--none generic: no diff of the packs was trained on ordinary answers', {
      hint: 'train some with `limn diff train --plan generic:20`, or take zero and random alone',
    });
  const nothing = new Map(questions.flatMap(({ name, none }) => (none === null ? [] : [[name, none] as const])));
  const bare = counts(negatives.zero);
  const random = randomDiffs(
    telling.map(({ lora }) => lora as LoraWeights),
    counts(negatives.random),
    request,
  );
  if (nothing.size === 0) return telling;
  return [
    ...telling,
    ...(negatives.generic === undefined
      ? []
      : generic.map((each) => ({
          ...each,
          copies: Math.max(1, Math.round(counts(negatives.generic) / generic.length)),
        }))),
    ...(bare === 0 ? [] : [{ name: 'bare model', kind: 'zero', lora: null, answers: nothing, copies: bare }]),
    ...random.map((lora, i) => ({ name: `random ${i}`, kind: 'random', lora, answers: nothing, copies: 1 })),
  ];
}

/** Diffs that have an answer to a question. */
export function withLabels(
  diffs: readonly LabelledDiff[],
  { name }: DitQuestion,
): { readonly diff: LabelledDiff; readonly label: string }[] {
  return diffs.flatMap((diff) => {
    const label = diff.answers.get(name);
    return label === undefined ? [] : [{ diff, label }];
  });
}

type Labels = Pick<LabelledDiff, 'kind' | 'answers'>;

function labeller({ questions, given }: LabelRequest, world: ChatWorld): (diff: OpenedDiff) => Labels {
  if (given)
    return ({ name }) => {
      const answers = given.get(name) ?? new Map<string, string>();
      const tells = questions.some(
        (question) => answers.has(question.name) && answers.get(question.name) !== question.none,
      );
      return { kind: tells ? 'given' : 'none', answers };
    };
  return ({ name, trained }) => {
    const truth = truthOf(trained?.spec.about ?? {}, world, name);
    if (truth === undefined) return { kind: 'unknown', answers: new Map() };
    const answers = questions.flatMap((question) =>
      isChatQuestion(question.name) ? [[question.name, answerAbout(question.name, truth, world)] as const] : [],
    );
    return { kind: kindOf(truth), answers: new Map(answers) };
  };
}

function noLabels(what: string): LimnError {
  return new LimnError('data/dit-labels', `nothing to learn or to measure by: ${what}`, {
    hint: 'give packs of `limn diff train --world chat`, whose records say what was trained, or --data with {"diff": …, "question": …, "answer": …} a line',
  });
}
