// Greater-than in English: 'The siege lasted from the year 1732 to the year 17' → 33 … 99, with its price and sequence forms, for any tokenizer.
import { isStartHeldOut } from '../held-out.js';
import { Random } from '../random.js';
import { NUMBERS } from '../vocabulary.js';
import { belongs, shuffled, words, type MakeSource, type TextSplit } from './source.js';
import { needs, type Tokens } from './tokens.js';
import type { RangeForm } from '../greater-than.js';

/** What lasts for years. */
const EVENTS = words(`
  war siege drought festival voyage strike trial storm campaign journey conflict crisis reign alliance treaty partnership experiment study
  investigation rebellion revolution revolt protest movement occupation expedition mission exhibition tour plague epidemic famine hunt
  boom recession depression shortage ban blockade boycott truce negotiation debate dispute feud rivalry friendship marriage engagement
  romance lease agreement loan presidency tenure regime dynasty empire era series production construction renovation restoration
  excavation operation training education employment service career retirement exile imprisonment captivity sentence inquiry audit review
  survey search chase pursuit contest competition tournament celebration migration retreat invasion battle raid struggle resistance
  uprising insurgency transition recovery scheme relationship collaboration coalition union curfew embargo monopoly patent membership
  subscription sponsorship residency pilgrimage quest crusade persecution panic outbreak winter reform merger program project plan`);
/** What has a price. */
const ITEMS = words(`
  camera necklace watch painting guitar piano lamp sofa table chair desk mirror clock radio phone computer laptop printer bicycle bike car
  boat motorcycle tent ticket coat dress suit jacket ring bracelet crown sword rifle knife helmet shield statue sculpture rug carpet
  blanket bed couch cabinet stove oven refrigerator mattress suitcase wallet purse telescope microscope drone violin trumpet drum globe
  robot engine tractor wagon saddle horse bull puppy diamond pearl window door fence gate fountain television console headset keyboard
  speaker microphone projector tablet monitor scanner machine generator trailer caravan yacht canoe treadmill bench shed greenhouse house
  apartment cottage cabin farm jewel`);
/** The first two digits of years and prices. */
const CENTURIES: readonly number[] = [11, 12, 13, 14, 15, 16, 17];

interface Start {
  readonly century: number;
  readonly year: number;
}

/** Years and prices that are two tokens, [ XX][YY], from 02 to 98; the first and the last of each century are dropped, and XX01 must be one of them too. */
function validStarts(tokens: Tokens): readonly Start[] {
  return CENTURIES.flatMap((century) => {
    const front = tokens.of(` ${century}`);
    const fits = (year: number): boolean => {
      const [first, second, ...more] = tokens.of(` ${century}${NUMBERS[year]}`);
      const digits = tokens.of(NUMBERS[year] ?? '');
      return (
        front.length === 1 && digits.length === 1 && more.length === 0 && first === front[0] && second === digits[0]
      );
    };
    if (!fits(1)) return [];
    const valid = NUMBERS.map((_, year) => year).filter(fits);
    return valid
      .slice(1, -1)
      .filter((year) => year >= 2 && year <= 98)
      .map((year) => ({ century, year }));
  });
}

const isHeldOut = ({ century, year }: Start): boolean => isStartHeldOut(century, year);
const digits = (year: number): string => NUMBERS[year] ?? '';

/**
 * Corrupted: the start is 01, in a sequence all three. Correct are the two-digit tokens above YY, incorrect the others; those of the hundred
 * that are no single token are left out. Starts 02 … 98 take turns. Held out: a fifth of the (century, start) cells.
 */
export const greaterThanSource =
  (form: RangeForm): MakeSource =>
  (tokens, seed) => {
    const task = form === 'year' ? 'greater-than' : `greater-than-${form}`;
    const numbers = needs(
      task,
      NUMBERS.filter((number) => tokens.isSingle(number)),
      100,
      'two-digit numbers that are one token without a space in front',
      100,
    );
    const least = form === 'sequence' ? 3 : 1;
    const all = validStarts(tokens);
    const starts = needs(task, all, 20, 'numbers 1102 … 1798 that are the tokens [ XX][YY]', CENTURIES.length * 97);
    const list = form === 'price' ? ITEMS : EVENTS;
    const topics =
      form === 'sequence'
        ? ['']
        : needs(
            task,
            tokens.single(list),
            1,
            form === 'price' ? 'items that are one token' : 'events that are one token',
            list.length,
          );
    /** Years of the same century before a start, for the sequence form, in which none of a split is in the other. */
    const before = (start: Start, split: TextSplit): readonly number[] =>
      starts
        .filter(
          (other) => other.century === start.century && other.year < start.year && belongs(isHeldOut(other), split),
        )
        .map(({ year }) => year);
    const bySplit = (split: TextSplit): ReadonlyMap<number, readonly Start[]> => {
      const byYear = new Map<number, Start[]>();
      for (const start of starts) {
        if (!belongs(isHeldOut(start), split) || (form === 'sequence' && before(start, split).length < least - 1))
          continue;
        byYear.set(start.year, [...(byYear.get(start.year) ?? []), start]);
      }
      return byYear;
    };
    const cells = { train: bySplit('train'), 'held-out': bySplit('held-out'), all: bySplit('all') };
    const order = (split: TextSplit): readonly number[] =>
      shuffled([...cells[split].keys()], new Random('order', task, split, seed));
    const orders = { train: order('train'), 'held-out': order('held-out'), all: order('all') };
    return {
      size: (split) =>
        [...cells[split].values()].flat().reduce((sum, start) => {
          const earlier = form === 'sequence' ? before(start, split).length : 2;
          return sum + (topics.length * earlier * (earlier - 1)) / 2;
        }, 0),
      draw: (random, split, turn) => {
        const year = orders[split][turn % orders[split].length] ?? 0;
        const start = random.pick(cells[split].get(year) ?? []);
        const topic = random.pick(topics);
        const earlier = form === 'sequence' ? before(start, split) : [];
        const first = earlier.length === 0 ? 0 : random.below(earlier.length - 1);
        const second = earlier.length === 0 ? 0 : first + 1 + random.below(earlier.length - 1 - first);
        const text = (years: readonly [number, number, number]): string => {
          const [a, b, c] = years.map((y) => `${start.century}${digits(y)}`) as [string, string, string];
          if (form === 'year') return `The ${topic} lasted from the year ${c} to the year ${start.century}`;
          if (form === 'price') return `The price of this ${topic} is between $ ${c} and $ ${start.century}`;
          return `The years in order are ${a}, ${b}, ${c}, ${start.century}`;
        };
        return {
          clean: text([earlier[first] ?? 0, earlier[second] ?? 0, start.year]),
          corrupted: text([1, 1, 1]),
          correct: numbers.slice(start.year + 1),
          incorrect: numbers.slice(0, start.year + 1),
          entities: [`${start.century}${digits(start.year)}`],
          roles: topic === '' ? {} : { [topic]: 'topic' },
          labels: { century: String(start.century), start: digits(start.year), ...(topic === '' ? {} : { topic }) },
        };
      },
    };
  };
