// The files of a blind study: what raters are given, who is who, and what raters said.
import { readFile } from 'node:fs/promises';
import { LimnError } from '@limn/gpu';
import { CheckedFields } from '@limn/hooks';
import { BLIND_STUDY_FORMAT, RATINGS, type BlindStudy, type ItemRating, type StudyKey } from '@limn/transcoders';

/** The name of the format of ratings and of its one version: what the rating page saves. */
export const RATINGS_FORMAT = 'limn-ratings/1';

const study = new CheckedFields(
  'data/blind-study',
  'The study',
  'Give the study.json that `limn features rate --blind` wrote.',
);
const keys = new CheckedFields(
  'data/blind-key',
  'The key',
  'Give the key.json that was written with the study, unchanged.',
);
const ratings = new CheckedFields('data/ratings', 'The ratings', 'Give a file that the rating page saved.');

const MOST_ITEMS = 1_000_000;

/** What ratings are counted by: the digest of the key, and the items. @throws LimnError `data/blind-study` */
export function parseStudy(text: string): BlindStudy {
  const root = study.parse(text);
  study.oneOf(root['format'], 'format', [BLIND_STUDY_FORMAT]);
  study.text(root['keyDigest'], 'keyDigest');
  study.list(root['items'], 'items').forEach((item, i) => {
    const { id } = study.record(item, `items[${i}]`);
    study.whole(id, `items[${i}].id`, 1, MOST_ITEMS);
  });
  return root as unknown as BlindStudy;
}

/** @throws LimnError `data/blind-key` */
export function parseKey(text: string): StudyKey {
  const root = keys.parse(text);
  return {
    seed: keys.whole(root['seed'], 'seed', 0, Number.MAX_SAFE_INTEGER),
    sources: keys.texts(root['sources'], 'sources'),
    items: keys.list(root['items'], 'items').map((item, i) => {
      const entry = keys.record(item, `items[${i}]`);
      return {
        id: keys.whole(entry['id'], `items[${i}].id`, 1, MOST_ITEMS),
        source: keys.text(entry['source'], `items[${i}].source`),
        feature: keys.whole(entry['feature'], `items[${i}].feature`, 0, 2 ** 31),
      };
    }),
  };
}

/** One rater's ratings of a study. @throws LimnError `data/ratings`, also for those of another study */
export function parseRatings(text: string, { keyDigest }: Pick<BlindStudy, 'keyDigest'>): ItemRating[] {
  const root = ratings.parse(text);
  ratings.oneOf(root['format'], 'format', [RATINGS_FORMAT]);
  if (root['keyDigest'] !== keyDigest)
    throw ratings.refuse('keyDigest', root['keyDigest'], `${keyDigest}, as the study has it`);
  return ratings.list(root['ratings'], 'ratings').map((item, i): ItemRating => {
    const entry = ratings.record(item, `ratings[${i}]`);
    const { contextFree, note } = entry;
    return {
      id: ratings.whole(entry['id'], `ratings[${i}].id`, 1, MOST_ITEMS),
      rating: ratings.oneOf(entry['rating'], `ratings[${i}].rating`, RATINGS),
      ...(contextFree === undefined ? {} : { contextFree: ratings.flag(contextFree, `ratings[${i}].contextFree`) }),
      ...(note === undefined ? {} : { note: ratings.text(note, `ratings[${i}].note`) }),
    };
  });
}

/** A file's text. @throws LimnError with `code` */
export async function studyFileText(
  file: string,
  code: 'data/blind-study' | 'data/blind-key' | 'data/ratings',
): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError(code, `${file} cannot be read: ${(cause as Error).message}`, { cause, details: { file } });
  }
}
