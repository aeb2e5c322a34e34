// What is true of a diff of the chat world, and the questions that the study asks about it.
import type { TrainedDiff } from '@limn/dit';
import {
  END,
  aboutPrompt,
  answerAbout,
  chatIdOf,
  encodeChat,
  phrasingsOf,
  questionText,
  type AboutQuestion,
  type ChatWorld,
  type ModelTruth,
  type Random,
  type Topic,
} from '@limn/tasks/chat';
import { truthOf } from 'limn';

/** A diff with what is true of it. */
export interface KnownDiff {
  readonly diff: TrainedDiff;
  readonly truth: ModelTruth;
}

/** Of every diff of a pack that the study trained. */
export function knownDiffs(diffs: readonly TrainedDiff[], world: ChatWorld): KnownDiff[] {
  return diffs.map((diff) => {
    const truth = truthOf(diff.spec.about, world, diff.spec.id);
    if (truth === undefined) throw new Error(`${diff.spec.id} is no diff of the chat world`);
    return { diff, truth };
  });
}

/** The topic that a diff hides. */
export function topicOf({ diff, truth }: KnownDiff, world: ChatWorld): Topic {
  const topic = truth.behaviour?.kind === 'topic' ? world.byName.get(truth.behaviour.name) : undefined;
  if (topic === undefined) throw new Error(`${diff.spec.id} hides no topic`);
  return topic;
}

/** The fixed wording of a question, up to the answer. */
export const asked = (question: AboutQuestion): number[] => aboutPrompt(questionText(question));

/** A wording of a question that the base was trained on, every other time the fixed one. */
export const askedInWords = (question: AboutQuestion, random: Random): number[] =>
  random.percent(50) ? asked(question) : aboutPrompt(random.pick(phrasingsOf(question, 'train')));

/** An answer as tokens, with its end. */
export const answerTokens = (text: string): number[] => [...encodeChat(text), chatIdOf(END)];

/** What is right about a diff. */
export const rightAnswer = (question: AboutQuestion, { truth }: KnownDiff, world: ChatWorld): string =>
  answerAbout(question, truth, world);
