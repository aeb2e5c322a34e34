// Ratings of a blind study, opened with its key: counts and shares of each source, with Wilson's intervals.
import { LimnError } from '@limn/gpu';
import { keyDigest, type BlindStudy, type StudyKey } from './blind-study.js';
import { wilsonShare, type CountedShare } from './wilson.js';

/** What a rater may say of a feature. */
export const RATINGS = ['interpretable', 'maybe', 'not'] as const;

/** One of `RATINGS`. */
export type Rating = (typeof RATINGS)[number];

/** One rater's word on one item. */
export interface ItemRating {
  readonly id: number;
  readonly rating: Rating;
  /** The token alone says when the feature fires. Default false. */
  readonly contextFree?: boolean | undefined;
  readonly note?: string | undefined;
}

/** What was said of the features of one source. */
export interface SourceRatings {
  readonly source: string;
  readonly rated: number;
  readonly unrated: number;
  readonly interpretable: CountedShare;
  readonly maybe: CountedShare;
  readonly not: CountedShare;
  /** Of all that were rated. */
  readonly contextFree: CountedShare;
}

/**
 * Counts ratings by source, in the order in which the sources were given.
 * @throws LimnError `data/blind-key` for a key that is not the study's, `data/ratings` for items that are not there or were rated twice, and
 * for ratings that are none
 */
export async function scoreRatings(
  study: BlindStudy,
  ratings: readonly ItemRating[],
  key: StudyKey,
): Promise<SourceRatings[]> {
  if ((await keyDigest(key)) !== study.keyDigest)
    throw new LimnError('data/blind-key', 'The key does not belong to this study.', {
      hint: 'Give the key that was written with the study, unchanged.',
    });
  const byId = new Map<number, ItemRating>();
  const known = new Set(study.items.map(({ id }) => id));
  for (const each of ratings) {
    const problem = !known.has(each.id)
      ? 'is not in the study'
      : byId.has(each.id)
        ? 'was rated twice'
        : RATINGS.includes(each.rating)
          ? undefined
          : `was rated ${String(each.rating)}`;
    if (problem !== undefined)
      throw new LimnError('data/ratings', `Item ${String(each.id)} ${problem}.`, {
        details: { id: each.id, rating: each.rating },
        hint: `Rate each item once: ${RATINGS.join(', ')}.`,
      });
    byId.set(each.id, each);
  }
  return key.sources.map((source) => {
    const own = key.items.filter((item) => item.source === source);
    const rated = own.flatMap(({ id }) => byId.get(id) ?? []);
    const counted = (is: (rating: ItemRating) => boolean): CountedShare =>
      wilsonShare(rated.filter(is).length, rated.length);
    return {
      source,
      rated: rated.length,
      unrated: own.length - rated.length,
      interpretable: counted(({ rating }) => rating === 'interpretable'),
      maybe: counted(({ rating }) => rating === 'maybe'),
      not: counted(({ rating }) => rating === 'not'),
      contextFree: counted(({ contextFree }) => contextFree === true),
    };
  });
}
