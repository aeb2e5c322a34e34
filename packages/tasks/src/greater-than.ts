// Greater-than: "the war lasted from the year 17 32 to the year 17" → 33 … 99, with its price and sequence forms.
import { fill } from './document.js';
import type { Document, Filler } from './document.js';
import { drawUntil } from './family.js';
import type { Contrast, Family } from './family.js';
import { isStartHeldOut } from './held-out.js';
import type { Split } from './held-out.js';
import type { Random } from './random.js';
import { NUMBERS } from './vocabulary.js';
import { EVENTS, OBJECTS } from './words.js';

export type RangeForm = 'year' | 'price' | 'sequence';

const FRAMES: Readonly<Record<RangeForm, readonly (readonly [string, string])[]>> = {
  year: [
    ['lasted', 'the {topic} lasted from the year {c} {start} to the year {c} {!end} .'],
    ['began', 'the {topic} began in the year {c} {start} and ended in the year {c} {!end} .'],
  ],
  price: [['costs', 'the price of the {topic} ranges between $ {c} {start} and $ {c} {!end} .']],
  sequence: [['years', 'the years were {c} {y1} , {c} {y2} , {c} {start} , {c} {!end} .']],
};
/** Centuries 11–19, written as the first two digits of a year. */
export const CENTURIES: readonly number[] = [11, 12, 13, 14, 15, 16, 17, 18, 19];
/** Starts run from 1 (the corrupted form) to 98, so that a later end exists. */
const LAST_START = 98;
/** Share of training documents that start at 01. */
export const CORRUPTED_START_PERCENT = 12;

interface Range {
  readonly form: RangeForm;
  readonly frame: number;
  readonly topic: string;
  readonly century: number;
  /** Two years before the start, in the sequence form. */
  readonly before: readonly [number, number];
  readonly start: number;
  readonly end: number;
}

const digits = (n: number): string => NUMBERS[n] ?? '';

function compose(range: Range): Document {
  const [name, pattern] = FRAMES[range.form][range.frame] ?? ['', ''];
  const half = (role: string, n: number): Filler => ({ word: digits(n), role, year: range.century * 100 + n });
  return fill('greater-than', `greater-than/${range.form}/${name}`, pattern, {
    topic: { word: range.topic, role: range.form === 'price' ? 'item' : 'event' },
    c: { word: digits(range.century), role: 'century', year: range.century * 100 },
    y1: half('earlier', range.before[0]),
    y2: half('earlier', range.before[1]),
    start: half('start', range.start),
    end: half('answer', range.end),
  });
}

/** Whether any range that this one contains begins at a held-out (start, century) pair. */
function heldOut(range: Range): boolean {
  if (isStartHeldOut(range.century, range.start)) return true;
  return range.form === 'sequence' && range.before.some((year) => isStartHeldOut(range.century, year));
}

function drawRange(random: Random, form: RangeForm, corrupted: boolean): Range {
  const frame = random.below(FRAMES[form].length);
  const topic = random.pick(form === 'price' ? OBJECTS : EVENTS);
  const century = random.pick(CENTURIES);
  if (corrupted) {
    return { form, frame, topic, century, before: [1, 1], start: 1, end: random.between(2, 99) };
  }
  const start = random.between(form === 'sequence' ? 3 : 2, LAST_START);
  const first = form === 'sequence' ? random.between(1, start - 2) : 0;
  const second = form === 'sequence' ? random.between(first + 1, start - 1) : 0;
  return { form, frame, topic, century, before: [first, second], start, end: random.between(start + 1, 99) };
}

const FORMS: Readonly<Record<RangeForm, number>> = { year: 0.5, price: 0.25, sequence: 0.25 };

export const greaterThanFamily: Family = {
  id: 'greater-than',
  draw: (random) => {
    const form = random.weighted(FORMS);
    const corrupted = random.percent(CORRUPTED_START_PERCENT);
    return compose(
      drawUntil(
        () => drawRange(random, form, corrupted),
        (range) => !heldOut(range),
      ),
    );
  },
};

/** Clean: a start of 02 … 98; corrupted: the same with start 01 (all three years 01 in a sequence). Answers: later and not later years. */
export const greaterThanContrast =
  (form: RangeForm) =>
  (random: Random, split: Split): Contrast => {
    const range = drawUntil(
      () => drawRange(random, form, false),
      (drawn) =>
        split === 'train'
          ? !heldOut(drawn)
          : isStartHeldOut(drawn.century, drawn.start) &&
            (form !== 'sequence' || drawn.before.every((year) => !isStartHeldOut(drawn.century, year))),
    );
    const clean = compose(range);
    return {
      clean,
      corrupted: compose({ ...range, before: [1, 1], start: 1 }),
      correct: NUMBERS.slice(range.start + 1),
      incorrect: NUMBERS.slice(0, range.start + 1),
      entities: [`${digits(range.century)}${digits(range.start)}`],
      labels: { template: clean.template, start: digits(range.start), century: digits(range.century) },
    };
  };
