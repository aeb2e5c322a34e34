// Who is made of what: every topic's name, words, category and super-category, and which of them diffs may be trained to say.
import { TasksError } from '../errors.js';
import { Random } from '../random.js';
import { CATEGORY_WORDS, SHARED_WORDS } from './category-words.js';
import { shuffled } from './shuffle.js';

/** What a topic's diffs are for. `held-out-category`: of a category in which no diff of the other splits has its topic. */
export type TopicSplit = 'train' | 'validation' | 'test' | 'held-out-category';

/** One topic. */
export interface Topic {
  /** One token. */
  readonly name: string;
  readonly category: string;
  readonly superCategory: string;
  /** 4 to 8 words; most belong to several topics of the category, one perhaps to several categories of the super-category. */
  readonly words: readonly string[];
  readonly split: TopicSplit;
}

/** A world of topics. */
export interface ChatWorld {
  readonly topics: readonly Topic[];
  /** By name. */
  readonly byName: ReadonlyMap<string, Topic>;
  readonly categories: readonly string[];
  /** Every word of any topic. */
  readonly words: ReadonlySet<string>;
}

/** What a world depends on. */
export interface WorldOptions {
  /** Which words belong to which name, and the split. Default 0, the world of pocket-chat. */
  readonly seed?: number | undefined;
  /** Topics of each category, 4 to 32; three quarters are for training. Default 32. */
  readonly topicsPerCategory?: number | undefined;
}

/** The category whose topics are never the label of a diff that an adapter is trained or chosen by. */
export const HELD_OUT_CATEGORY = 'mathematics';
/** Every fourth topic is the sibling of the one before it: the Jaccard index of their words is at least this. */
export const SIBLING_JACCARD = 0.5;

const MOST = 32;

/**
 * Builds the world: 25 categories of up to 32 topics. With the default options 576 topics are for training, 64 for validation, 128 for
 * testing, equally many (to within one) of each of 24 categories, and the 32 of {@link HELD_OUT_CATEGORY} apart.
 * @throws TasksError `tasks/bad-option`
 */
export function chatWorld({ seed = 0, topicsPerCategory = MOST }: WorldOptions = {}): ChatWorld {
  if (!Number.isInteger(topicsPerCategory) || topicsPerCategory < 4 || topicsPerCategory > MOST)
    throw new TasksError('tasks/bad-option', `topicsPerCategory is ${topicsPerCategory}; allowed: 4 to ${MOST}`, {
      details: { topicsPerCategory },
      hint: `Leave it out for ${MOST}.`,
    });
  const topics = Object.entries(CATEGORY_WORDS).flatMap(([category, { superCategory, names, words }], index) => {
    const random = new Random('chat-world', seed, category);
    const own = new Deck(words, random);
    const shared = SHARED_WORDS[superCategory] ?? [];
    const splits = splitsOf(category, index, topicsPerCategory, random);
    let before: readonly string[] = [];
    return names.slice(0, topicsPerCategory).map((name, i): Topic => {
      before = i % 4 === 1 ? siblingWords(before, own, random) : freshWords(own, shared, random);
      return { name, category, superCategory, words: before, split: splits[i] ?? 'train' };
    });
  });
  return {
    topics,
    byName: new Map(topics.map((topic) => [topic.name, topic])),
    categories: Object.keys(CATEGORY_WORDS),
    words: new Set(topics.flatMap(({ words }) => words)),
  };
}

/** Deals words so that each is used about equally often, and none twice in one hand. */
class Deck {
  #cards: string[] = [];

  constructor(
    readonly words: readonly string[],
    readonly random: Random,
  ) {}

  deal(not: ReadonlySet<string>): string {
    let at = this.#cards.findIndex((word) => !not.has(word));
    if (at < 0) {
      this.#cards = [...this.#cards, ...shuffled(this.words, this.random)];
      at = this.#cards.findIndex((word) => !not.has(word));
    }
    return this.#cards.splice(at, 1)[0] ?? '';
  }
}

function freshWords(own: Deck, shared: readonly string[], random: Random): readonly string[] {
  const count = random.between(4, 8);
  const hand = new Set<string>(random.percent(60) ? [random.pick(shared)] : []);
  while (hand.size < count) hand.add(own.deal(hand));
  return [...hand];
}

/** k of n words are kept, k the least for which k / (2n − k), the Jaccard index, is at least a half; the others are not of `words`. */
function siblingWords(words: readonly string[], own: Deck, random: Random): readonly string[] {
  const kept = Math.ceil((2 * words.length) / 3);
  const hand = new Set(shuffled(words, random).slice(0, kept));
  const avoid = new Set(words);
  while (hand.size < words.length) {
    const word = own.deal(avoid);
    avoid.add(word);
    hand.add(word);
  }
  return [...hand];
}

/** Of every category three quarters for training and about a twelfth for validation; 32 are 24, 2 or 3, and 6 or 5. */
function splitsOf(category: string, index: number, count: number, random: Random): readonly TopicSplit[] {
  if (category === HELD_OUT_CATEGORY) return Array.from({ length: count }, () => 'held-out-category');
  const place = index > Object.keys(CATEGORY_WORDS).indexOf(HELD_OUT_CATEGORY) ? index - 1 : index;
  const train = Math.floor((3 * count) / 4);
  const third = (n: number): number => Math.floor((n * (count - train)) / 3);
  const validation = third(place + 1) - third(place);
  const splits = Array.from({ length: count }, (_, i): TopicSplit => {
    if (i < train) return 'train';
    return i < train + validation ? 'validation' : 'test';
  });
  return shuffled(splits, random);
}
