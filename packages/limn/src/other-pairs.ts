// Other pairs of words that gender decides between, behind the same prompts: an edit that is meant for one pair may move the others.
import type { SteeringExample } from '@limn/steering';

/** A man's and a woman's. */
const PAIRS: readonly (readonly [string, string])[] = [
  ['he', 'she'],
  ['him', 'her'],
  ['his', 'hers'],
  ['himself', 'herself'],
  ['man', 'woman'],
];

/** Prompts with one other pair of answers. */
export interface OtherPair {
  readonly name: string;
  readonly examples: readonly SteeringExample[];
}

/**
 * The prompts of examples that compete between one of the pairs, with every other pair that the vocabulary has as single tokens, as the
 * answers are written: with the same space in front.
 */
export function otherPairs(
  examples: readonly SteeringExample[],
  vocabulary: number,
  show: (id: number) => string,
): OtherPair[] {
  const ids = new Map<string, number>();
  // Of two tokens with one text the first.
  for (let id = vocabulary - 1; id >= 0; id--) ids.set(show(id), id);
  return PAIRS.flatMap((pair): OtherPair[] => {
    const made = examples.flatMap((example): SteeringExample[] => {
      const [correct, wrong] = [show(example.correct), show(example.wrong)];
      const own = PAIRS.find((each) => each.includes(correct.trim()) && each.includes(wrong.trim()));
      if (own === undefined || own === pair) return [];
      const space = correct.slice(0, correct.length - correct.trimStart().length);
      const like = (word: string): number | undefined => ids.get(`${space}${pair[own.indexOf(word.trim())] ?? ''}`);
      const [c, w] = [like(correct), like(wrong)];
      return c === undefined || w === undefined ? [] : [{ ...example, correct: c, wrong: w }];
    });
    return made.length === 0 ? [] : [{ name: `${pair.join(', ')} behind the same prompts`, examples: made }];
  });
}
