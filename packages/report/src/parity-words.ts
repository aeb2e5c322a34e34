// What an edit for parity did, in sentences: how far the gap closes on items that were not learnt from, what is kept, what breaks, what else moves.
import { numberText, percentText } from './number-text.js';
import type { ParityRecord } from './parity-record.js';
import { bare } from './token-words.js';

type Figures = ParityRecord['parts'][number];
type Item = ParityRecord['items'][number];
type Interval = Figures['gap']['afterInterval'];

/** Names that a sentence lists. */
const NAMED = 5;

/** Sentences under what they are about. */
export interface ParityWords {
  readonly gap: string;
  readonly kept: string;
  readonly breaks: readonly string[];
  readonly elsewhere: readonly string[];
}

/** The part that says most: what was never seen, else what was chosen by, else what was learnt from. */
export function tellingPart({ parts }: Pick<ParityRecord, 'parts'>): Figures | undefined {
  const of = (name: Figures['part']): Figures | undefined => parts.find(({ part }) => part === name);
  return of('test') ?? of('validation') ?? of('train');
}

/** What a part is, in words. */
export const partName = (part: Figures['part']): string =>
  part === 'test' ? 'not learnt from' : part === 'validation' ? 'chosen by' : 'learnt from';

/** What the sentences say is what the record holds, and nothing more. */
export function parityWords(parity: ParityRecord): ParityWords {
  return { gap: gapSays(parity), kept: keptSays(parity), breaks: breaksSay(parity), elsewhere: elsewhereSays(parity) };
}

/** The same as one list. */
export function paritySentences(parity: ParityRecord): readonly string[] {
  const { gap, kept, breaks, elsewhere } = parityWords(parity);
  return [gap, kept, ...breaks, ...elsewhere].filter((sentence) => sentence !== '');
}

/** 'brings the mean gap … on 4 items not learnt from': the end of the sentence that a page begins with. */
export function parityHeadline(parity: ParityRecord): string {
  const at = tellingPart(parity);
  if (!at) return '';
  const { before, after } = at.gap;
  const kept = parity.retention ? `, and keeps ${percentText(parity.retention.kept)} of what is to stay` : '';
  return `brings the mean gap ${between(parity)} from ${numberText(before)} to ${numberText(after)} logits on ${counted(at.items, 'item')} ${partName(at.part)}${kept}.`;
}

const between = ({ answers }: ParityRecord): string =>
  answers ? `between “${bare(answers.first)}” and “${bare(answers.second)}”` : 'between the two answers';

function gapSays(parity: ParityRecord): string {
  const at = tellingPart(parity);
  if (!at) return '';
  const { gap, variance, lean } = at;
  const left = gap.before > 0 ? `, ${percentText(gap.after / gap.before)} of it` : '';
  const spread =
    variance.before === null || variance.after === null
      ? ''
      : `; the variance of Δ between them goes from ${numberText(variance.before)} to ${numberText(variance.after)}`;
  const leans = parity.answers
    ? `; all together lean to “${bare(parity.answers.first)}” by ${numberText(lean.before)} logits before and ${numberText(lean.after)} after`
    : '';
  return `On ${counted(at.items, 'item')} ${partName(at.part)} the mean gap ${between(parity)} goes from ${numberText(gap.before)} to ${numberText(gap.after)} logits${within(gap.afterInterval)}${left}${spread}${leans}.`;
}

function keptSays({ retention }: ParityRecord): string {
  if (!retention) return 'Nothing was given whose answer is to stay, so that what the edit erases is not known.';
  const { learnt, share, kept, keptInterval, rightAfter, prompts } = retention;
  return `Of ${counted(prompts.length, 'prompt')} whose answer is to stay, ${learnt ? 'all of them learnt from' : 'none of them learnt from'}, ${percentText(rightAfter)} still have the right answer first, and ${percentText(kept)} are kept: right as before, with Δ within ${percentText(share)} of what it was${within(keptInterval, percentText)}.`;
}

function breaksSay(parity: ParityRecord): string[] {
  const { items, retention } = parity;
  const unseen = tellingPart(parity);
  const wider = items.filter(({ gapBefore, gapAfter }) => gapAfter > gapBefore);
  const lost = (retention?.prompts ?? []).filter(({ before, after }) => before > 0 && after <= 0);
  const moved = (retention?.prompts ?? []).filter(({ after, kept }) => after > 0 && !kept);
  const said = [
    wider.length > 0 && `The gap grows for ${named(wider.map(({ item }) => item))}.`,
    lost.length > 0 && `The right answer is lost behind ${named(lost.map(({ text }) => `“${text.trim()}”`))}.`,
    moved.length > 0 &&
      `Δ moves further than it may behind ${named(moved.map(({ text }) => `“${text.trim()}”`))}, the answer staying right.`,
  ].filter((each) => each !== false);
  const nothing = `No gap grows${retention ? ', and no prompt loses an answer that is to stay' : ''}.`;
  return [
    ...(said.length > 0 ? said : [nothing]),
    ...(unseen
      ? [
          `Behind the prompts ${partName(unseen.part)} everything but the two answers moves by a KL of ${numberText(unseen.drift, 2)} nats.`,
        ]
      : []),
  ];
}

function elsewhereSays({ spillover }: ParityRecord): string[] {
  return spillover.map(
    ({ name, prompts, moved, movedInterval, gapBefore, gapAfter }) =>
      `${name}: Δ moves by ${numberText(moved)} logits in the mean of ${counted(prompts, 'prompt')}${within(movedInterval)}; the gap there goes from ${numberText(gapBefore)} to ${numberText(gapAfter)}.`,
  );
}

const counted = (count: number, what: string): string => `${numberText(count, 9)} ${what}${count === 1 ? '' : 's'}`;

const within = (interval: Interval, say: (value: number) => string = (value) => numberText(value)): string =>
  interval ? ` (95 %: ${say(interval.low)} to ${say(interval.high)})` : '';

/** 'a, b and 3 more' */
function named(all: readonly string[]): string {
  const shown = all.slice(0, NAMED);
  const more = all.length - shown.length;
  if (more > 0) return `${shown.join(', ')} and ${numberText(more, 9)} more`;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}

/** Largest lean to the first answer first. */
export const byLean = (a: Item, b: Item): number => b.before - a.before || (a.item < b.item ? -1 : 1);
