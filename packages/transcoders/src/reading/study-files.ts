// The files of a blind study, which come from others: studies, keys and ratings read field by field.
import { CheckedFields } from '@limn/hooks';
import { BLIND_STUDY_FORMAT, type BlindExample, type BlindStudy, type StudyKey } from './blind-study.js';
import { RATINGS, type ItemRating } from './score-ratings.js';

/** The name of the format of keys and of its one version. */
export const STUDY_KEY_FORMAT = 'limn-blind-key/1';
/** The name of the format of ratings and of its one version. */
export const RATINGS_FORMAT = 'limn-ratings/1';

const MOST = Number.MAX_SAFE_INTEGER;
const fields = new CheckedFields(
  'data/blind-study-file',
  'The file of the blind study',
  'Give the study, its key or its ratings as they were saved.',
);

/** A study as a file. */
export const blindStudyToText = (study: BlindStudy): string => `${JSON.stringify(study)}\n`;

/** A key as a file; keep it from raters. */
export const studyKeyToText = (key: StudyKey): string =>
  `${JSON.stringify({ format: STUDY_KEY_FORMAT, ...key }, undefined, 2)}\n`;

/** Ratings of the study with this `keyDigest`, as a file. */
export const ratingsToText = (keyDigest: string, ratings: readonly ItemRating[]): string =>
  `${JSON.stringify({ format: RATINGS_FORMAT, study: keyDigest, ratings }, undefined, 2)}\n`;

/**
 * A study from its file.
 * @throws LimnError `data/blind-study-file`, naming the field
 */
export function parseBlindStudy(text: string): BlindStudy {
  const root = fields.parse(text);
  fields.oneOf(root['format'], 'format', [BLIND_STUDY_FORMAT]);
  return {
    format: BLIND_STUDY_FORMAT,
    keyDigest: fields.text(root['keyDigest'], 'keyDigest'),
    items: fields.list(root['items'], 'items').map((value, i) => {
      const item = fields.record(value, `items[${i}]`);
      const examples = (list: unknown, name: string): BlindExample[] =>
        fields.list(list, name).map((each, e) => exampleFrom(each, `${name}[${e}]`));
      return {
        // Items are numbered through.
        id: fields.whole(item['id'], `items[${i}].id`, i + 1, i + 1),
        top: examples(item['top'], `items[${i}].top`),
        bands: fields
          .list(item['bands'], `items[${i}].bands`)
          .map((band, b) => examples(band, `items[${i}].bands[${b}]`)),
      };
    }),
  };
}

/**
 * A key from its file; whether it is the study's is for `scoreRatings` to say.
 * @throws LimnError `data/blind-study-file`, naming the field
 */
export function parseStudyKey(text: string): StudyKey {
  const root = fields.parse(text);
  fields.oneOf(root['format'], 'format', [STUDY_KEY_FORMAT]);
  const sources = fields.texts(root['sources'], 'sources');
  return {
    seed: fields.whole(root['seed'], 'seed', 0, MOST),
    sources,
    items: fields.list(root['items'], 'items').map((value, i) => {
      const item = fields.record(value, `items[${i}]`);
      return {
        id: fields.whole(item['id'], `items[${i}].id`, i + 1, i + 1),
        source: fields.oneOf(item['source'], `items[${i}].source`, sources),
        feature: fields.whole(item['feature'], `items[${i}].feature`, 0, MOST),
      };
    }),
  };
}

/**
 * Ratings from their file, for one study.
 * @throws LimnError `data/blind-study-file`, naming the field; ratings of another study are refused by 'study'
 */
export function parseRatings(text: string, { keyDigest }: Pick<BlindStudy, 'keyDigest'>): ItemRating[] {
  const root = fields.parse(text);
  fields.oneOf(root['format'], 'format', [RATINGS_FORMAT]);
  fields.oneOf(root['study'], 'study', [keyDigest]);
  return fields.list(root['ratings'], 'ratings').map((value, i) => {
    const { id, rating, contextFree, note } = fields.record(value, `ratings[${i}]`);
    if (note !== undefined && typeof note !== 'string') throw fields.refuse(`ratings[${i}].note`, note, 'text');
    return {
      id: fields.whole(id, `ratings[${i}].id`, 1, MOST),
      rating: fields.oneOf(rating, `ratings[${i}].rating`, RATINGS),
      ...(contextFree === undefined ? {} : { contextFree: fields.flag(contextFree, `ratings[${i}].contextFree`) }),
      ...(note === undefined ? {} : { note }),
    };
  });
}

function exampleFrom(value: unknown, name: string): BlindExample {
  const example = fields.record(value, name);
  const shades = fields
    .list(example['shades'], `${name}.shades`)
    .map((shade, i) => fields.finite(shade, `${name}.shades[${i}]`));
  const tokens = fields
    .list(example['tokens'], `${name}.tokens`)
    .map((token, i) => fields.whole(token, `${name}.tokens[${i}]`, 0, MOST));
  const texts = example['texts'] === undefined ? undefined : fields.texts(example['texts'], `${name}.texts`);
  for (const [field, list] of [
    ['tokens', tokens],
    ['texts', texts ?? tokens],
  ] as const)
    if (list.length !== shades.length)
      throw fields.refuse(`${name}.${field}`, list.length, `${shades.length} entries, one for each shade`);
  return {
    tokens,
    ...(texts ? { texts } : {}),
    at: fields.whole(example['at'], `${name}.at`, 0, shades.length - 1),
    shades,
  };
}
