// What an adapter says of diffs, and how right that is: exactly, by rank among all topics, and graded.
import { askDiffs, rankOf, type CandidateRank, type LoraWeights } from '@limn/dit';
import type { HookedModel } from '@limn/hooks';
import { chatIdOf, decodeChat, gradeTopic, type AboutQuestion, type ChatWorld } from '@limn/tasks/chat';
import { asked, rightAnswer, topicOf, type KnownDiff } from './truth.mjs';

/** Longest answer: a headline behind "news", and its end. */
const LONGEST = 9;

/** What was said of one diff. */
export interface Reading {
  readonly id: string;
  readonly label: string;
  readonly said: string;
  /** Of the whole answer, in nats. */
  readonly logProbability: number;
}

/** What an adapter, or none, answers to the fixed wording of a question about every diff; about the bare model where a diff is null. */
export async function readings(
  model: HookedModel,
  adapter: LoraWeights | null,
  diffs: readonly (KnownDiff | null)[],
  question: AboutQuestion,
  world: ChatWorld,
): Promise<Reading[]> {
  const there = diffs.filter((known) => known !== null);
  const placeOf = new Map(there.map((known, place) => [known, place]));
  const prompt = asked(question);
  const answers = await askDiffs(
    model,
    there.map(({ diff }) => diff.lora),
    adapter,
    diffs.map((known) => ({ diff: known === null ? null : (placeOf.get(known) as number), prompt })),
    { maxNewTokens: LONGEST, rows: 64 },
  );
  return answers.map(({ tokens, logProbability }, i) => {
    const known = diffs[i] ?? null;
    return {
      id: known?.diff.spec.id ?? 'bare model',
      label: known ? rightAnswer(question, known, world) : 'none',
      said: decodeChat(tokens),
      logProbability,
    };
  });
}

/** How right the name of a topic is. */
export interface TopicReading extends Reading, CandidateRank {
  readonly grade: number;
}

/** What is said of hidden topics, with the place of the right one among all topics of the world. */
export async function topicReadings(
  model: HookedModel,
  adapter: LoraWeights | null,
  diffs: readonly KnownDiff[],
  world: ChatWorld,
): Promise<TopicReading[]> {
  const names = world.topics.map(({ name }) => name);
  const answers = await askDiffs(
    model,
    diffs.map(({ diff }) => diff.lora),
    adapter,
    diffs.map((_, diff) => ({ diff, prompt: asked('topic') })),
    { maxNewTokens: LONGEST, rows: 64, candidates: names.map(chatIdOf) },
  );
  return answers.map(({ tokens, logProbability, candidates }, i) => {
    const known = diffs[i] as KnownDiff;
    const { name } = topicOf(known, world);
    const said = decodeChat(tokens);
    return {
      id: known.diff.spec.id,
      label: name,
      said,
      logProbability,
      grade: gradeTopic(said, name, world),
      ...rankOf(candidates ?? [], names.indexOf(name)),
    };
  });
}
