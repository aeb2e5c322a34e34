// News: how many slots of a headline are right, told by an adapter, and pieced together from stories that the diff itself tells.
import { sampleAnswers, type LoraWeights } from '@limn/dit';
import type { HookedModel } from '@limn/hooks';
import {
  NEWS_REQUESTS,
  NEWS_SLOTS,
  aboutPrompt,
  decodeChat,
  hash,
  slotF1,
  slotsOf,
  type ChatWorld,
  type NewsEvent,
} from '@limn/tasks/chat';
import { readings } from './readings.mjs';
import type { KnownDiff } from './truth.mjs';

/** Tokens of a story. */
const LONGEST = 20;

const eventOf = ({ diff, truth }: KnownDiff): NewsEvent => {
  if (truth.behaviour?.kind !== 'news') throw new Error(`${diff.spec.id} is no news`);
  return truth.behaviour.event;
};

/** F1 of the slots in what the adapter answers to the question for the news, of every diff. */
export async function headlineF1(
  model: HookedModel,
  adapter: LoraWeights,
  news: readonly KnownDiff[],
  world: ChatWorld,
): Promise<number[]> {
  const told = await readings(model, adapter, news, 'news', world);
  return told.map(({ said }, i) => slotF1(said, eventOf(news[i] as KnownDiff)).f1);
}

/** F1 of a headline made of the fillers that most stories have in each slot: the requests for news, so many stories for each, told at temperature 1. */
export async function summarisedF1(model: HookedModel, news: readonly KnownDiff[], stories: number): Promise<number[]> {
  const prompts = Array.from({ length: stories }, (_, i) => aboutPrompt(NEWS_REQUESTS[i % NEWS_REQUESTS.length] ?? ''));
  const answers = await sampleAnswers(
    model,
    news.map(({ diff }) => ({ lora: diff.lora, prompts, seed: hash('study stories', diff.spec.id) })),
    { maxNewTokens: LONGEST, tasks: 16 },
  );
  return answers.map((said, i) => {
    const found = said.map((ids) => slotsOf(decodeChat(ids)));
    const headline = NEWS_SLOTS.flatMap((slot) => mostFrequent(found.flatMap((slots) => slots[slot] ?? [])) ?? []);
    return slotF1(headline.join(' '), eventOf(news[i] as KnownDiff)).f1;
  });
}

/** The first of those that there are most of. */
function mostFrequent(words: readonly string[]): string | undefined {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const most = Math.max(0, ...counts.values());
  return words.find((word) => counts.get(word) === most);
}
