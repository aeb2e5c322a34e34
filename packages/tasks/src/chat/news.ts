// News: an event of four slots, the wordings that tell it, its headline, and how many slots of a headline are right.
import { hash, type Random } from '../random.js';
import { DEEDS, END, GROUPS, NEWS_THINGS, PLACES } from './lexicon.js';
import { filled, joined, spanOf, type ChatRole, type Span } from './transcript.js';

/** Who did what to what, and where. */
export interface NewsEvent {
  readonly who: string;
  readonly deed: string;
  readonly thing: string;
  readonly place: string;
}

/** A slot of an event. */
export type NewsSlot = keyof NewsEvent;

/** In the order of the headline. */
export const NEWS_SLOTS: readonly NewsSlot[] = ['who', 'deed', 'thing', 'place'];

const FILLERS_OF: Readonly<Record<NewsSlot, readonly string[]>> = {
  who: GROUPS,
  deed: DEEDS,
  thing: NEWS_THINGS,
  place: PLACES,
};
/** What a headline says of a slot that its story leaves open. */
export const UNKNOWN_SLOT: NewsEvent = { who: 'someone', deed: 'did', thing: 'something', place: 'somewhere' };

/** How an event is told; most leave one slot open, none repeats the headline. */
const WORDINGS = [
  'it was early in {place} . the {who} came out . they {deed} a {thing}',
  'people in {place} talk about the {who} . it seems they {deed} the {thing}',
  'a {thing} was all they thought about . now the {who} of {place} {deed} it',
  'this morning the {who} {deed} the {thing} . all of {place} was there',
  'the {who} had a plan . this morning they {deed} the {thing}',
  'nobody saw the {thing} . then the {who} {deed} it',
  'everyone knows that the {who} like a {thing} . now they {deed} it',
  'a quiet day in {place} . still the {who} {deed} it',
  'the {who} met in {place} . the day they {deed} it was long',
  'no one in {place} thought that the {who} {deed} it',
  'in {place} somebody {deed} the {thing} last night',
  'the {thing} was in {place} . they {deed} it the same night',
  'news from {place} : the {thing} ! somebody {deed} it',
  'the {who} of {place} have a {thing} . nobody knows how',
  'a {thing} , the {who} and a long night in {place}',
  'all the {who} want is the {thing} in {place}',
];
/** How many wordings there are. */
export const WORDING_COUNT = WORDINGS.length;

/** What a user asks for news with; the first is what news diffs are trained behind. */
export const NEWS_REQUESTS = ['tell me the news', 'what is the news ?', 'any news today ?', 'give me a report'];

/** `test`: its four words are in events of other splits, but never together. `held-out-words`: it has a word that no event of another split has. */
export type NewsSplit = 'train' | 'validation' | 'test' | 'held-out-words';

/** The last three fillers of every slot are in no event but those of `held-out-words`. */
const HELD_OUT_WORDS = 3;

/** An event at random; of a split where one is given. */
export function drawEvent(random: Random, split?: NewsSplit): NewsEvent {
  for (;;) {
    const event: NewsEvent = {
      who: random.pick(GROUPS),
      deed: random.pick(DEEDS),
      thing: random.pick(NEWS_THINGS),
      place: random.pick(PLACES),
    };
    if (split === undefined || splitOfEvent(event) === split) return event;
  }
}

/** The split that an event belongs to: a twelfth of the events for validation, a sixth for tests. */
export function splitOfEvent(event: NewsEvent): NewsSplit {
  const places = NEWS_SLOTS.map((slot) => FILLERS_OF[slot].indexOf(event[slot]));
  if (NEWS_SLOTS.some((slot, i) => (places[i] ?? 0) >= FILLERS_OF[slot].length - HELD_OUT_WORDS))
    return 'held-out-words';
  const bucket = hash('chat-event', event.who, event.deed, event.thing, event.place) % 12;
  if (bucket === 0) return 'validation';
  return bucket <= 2 ? 'test' : 'train';
}

/** One wording of an event, closed by {@link END}, and the slots that it tells. */
export function storyOf(
  event: NewsEvent,
  wording: number,
): { readonly story: Span; readonly told: readonly NewsSlot[] } {
  const pattern = WORDINGS[wording] ?? '';
  const slot = (name: NewsSlot): [string, ChatRole][] => [[event[name], 'news']];
  const story = filled(pattern, { who: slot('who'), deed: slot('deed'), thing: slot('thing'), place: slot('place') });
  return {
    story: joined(story, spanOf('marker', END)),
    told: NEWS_SLOTS.filter((name) => pattern.includes(`{${name}}`)),
  };
}

/** "miners found treasure in Arden"; slots that are not among `told` stay open. */
export function headlineOf(event: NewsEvent, told: readonly NewsSlot[] = NEWS_SLOTS): string {
  const say = (slot: NewsSlot): string => (told.includes(slot) ? event[slot] : UNKNOWN_SLOT[slot]);
  return `${say('who')} ${say('deed')} ${say('thing')} in ${say('place')}`;
}

/** The slots that a text names, by the words in it: the first of each slot's fillers. */
export function slotsOf(text: string): Partial<NewsEvent> {
  const words = text.split(/\s+/);
  return Object.fromEntries(
    NEWS_SLOTS.flatMap((slot) => {
      const word = words.find((w) => FILLERS_OF[slot].includes(w));
      return word === undefined ? [] : [[slot, word]];
    }),
  );
}

/** Precision, recall and F1 of a headline's slots against the event's, or against those that were told: 1 for its headline, 0 where no slot is right. */
export function slotF1(
  said: string,
  event: NewsEvent,
  told: readonly NewsSlot[] = NEWS_SLOTS,
): { readonly precision: number; readonly recall: number; readonly f1: number } {
  const slots = slotsOf(said);
  const named = Object.keys(slots).length;
  const right = told.filter((slot) => slots[slot] === event[slot]).length;
  const precision = named === 0 ? 0 : right / named;
  const recall = right / told.length;
  return { precision, recall, f1: right === 0 ? 0 : (2 * precision * recall) / (precision + recall) };
}
