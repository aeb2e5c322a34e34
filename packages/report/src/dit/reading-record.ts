// What is written down about one weight diff that was asked what it changed: four answers side by side, and where in the diff the answer comes from.
import { provenanceSchema } from '../provenance-record.js';
import { checkFormat, fromJson, toJson } from '../record-text.js';
import { between, finite, list, object, oneOf, orNull, text, whole, yesNo } from '../schema.js';
import type { Infer, Issue, Json } from '../schema.js';
import {
  adapterFaults,
  adapterSchema,
  ascendingFaults,
  baseSchema,
  calibrationSchema,
  decisionSchema,
  likelySchema,
  nameSchema,
  repeats,
  shareSchema,
  tableFaults,
  tablesSchema,
} from './dit-parts.js';

/** What the field `format` of a reading says. */
export const READING_FORMAT = 'limn-dit-reading/1';

const layer = whole(0, 10_000);
const size = between(0, Number.MAX_VALUE);
/** Natural logarithm of the probability of a whole answer, its end included. */
const logProbability = between(-Number.MAX_VALUE, 0);

const answers = list(
  object(
    {
      who: oneOf('base', 'base+diff', 'base+adapter', 'base+diff+adapter'),
      /** Greedy, without the end. */
      text: text({ longest: 4000 }),
      /** Of the whole answer, its end included. */
      probability: shareSchema,
      /** First tokens of the answer over the full vocabulary, the likeliest first. */
      top: likelySchema,
    },
    {
      /** false where the answer was cut off before its end. */
      ended: yesNo,
    },
  ),
  { most: 4 },
);

/** Frobenius norm of s·B·A of one linear; `relative` is its share of the norm of W. */
const norm = object({ map: nameSchema, layer, norm: size }, { relative: orNull(size) });

/** One direction of one linear's diff, seen in tokens. */
const direction = object(
  {
    map: nameSchema,
    layer,
    /** A direction that it adds to the residual stream, through the unembedding; or one that it reads there, through the embedding. */
    side: oneOf('writes', 'reads'),
    /** Singular value of s·B·A. */
    strength: size,
    /** Tokens with the largest and the smallest values, signed; the sign of a read direction goes with that of the written one. */
    tokens: list(object({ text: nameSchema, value: finite }), { most: 100 }),
  },
  { /** Its share of the squared norm of s·B·A. */ share: shareSchema },
);

const readingSchema = object(
  {
    format: oneOf(READING_FORMAT),
    provenance: provenanceSchema,
    base: baseSchema,
    diff: object(
      { name: nameSchema, rank: whole(1), modules: list(nameSchema, { most: 10_000 }) },
      {
        /** What is known of it. */
        about: text(),
        /** What it was trained to have; null where it was trained to change nothing. */
        label: orNull(nameSchema),
      },
    ),
    /** null where the models were asked without one. */
    adapter: orNull(adapterSchema),
    question: text({ longest: 4000 }),
    /** The standing note: an interpretation is a model's output. */
    note: text(),
    /** Each of the four at most once; those with an adapter only where there is one. */
    answers,
    /** Each linear once. */
    norms: list(norm, { most: 20_000 }),
    /** Of a linear and side the strongest first. */
    directions: list(direction, { most: 5000 }),
    tables: tablesSchema,
  },
  {
    /** What base + diff + adapter says after calibration. */
    verdict: object({ decision: decisionSchema, confidence: shareSchema, none: shareSchema }),
    calibration: calibrationSchema,
    /** Other questions to the same four. */
    more: list(object({ question: text({ longest: 4000 }), answers }), { most: 50 }),
    /** Log-probability of `answer` from base + diff + adapter, whole and without any of the diff; layer by layer without it, and with it only. */
    layers: object({
      answer: text({ longest: 4000 }),
      whole: logProbability,
      bare: logProbability,
      rows: list(object({ layer, without: logProbability, only: logProbability }), { most: 1000 }),
    }),
    /** Log-probability of `answer` with the diff at every strength, ascending; `text` is what is said there. */
    strengths: object({
      answer: text({ longest: 4000 }),
      points: list(object({ strength: finite, logProbability }, { text: text({ longest: 4000 }) }), { most: 1000 }),
    }),
  },
);

/**
 * The record of one weight diff that was asked what it changed.
 * @useDeclaredType
 */
export type DitReadingRecord = Infer<typeof readingSchema>;
/**
 * One of the four answers of a reading.
 * @useDeclaredType
 */
export type DitReadingAnswer = DitReadingRecord['answers'][number];

/** The JSON Schema of a reading, for other tools. */
export const ditReadingJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn DIT reading',
  ...readingSchema.json,
};

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version`
 */
export function checkDitReading(value: unknown): DitReadingRecord {
  return checkFormat(READING_FORMAT, readingSchema, value, inconsistencies);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline.
 * @throws ReportError as `checkDitReading`
 */
export function ditReadingToJson(reading: DitReadingRecord): string {
  return toJson(checkDitReading(reading));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkDitReading`
 */
export function ditReadingFromJson(json: string): DitReadingRecord {
  return checkDitReading(fromJson(json));
}

/** What a schema of single values cannot say: what stands twice, and answers with an adapter where there is none. */
function inconsistencies(reading: DitReadingRecord): Issue[] {
  const { adapter, answers: first, more = [], norms, layers, strengths, tables } = reading;
  return [
    ...adapterFaults(adapter),
    ...answerFaults('/answers', first, adapter !== null),
    ...more.flatMap((each, i) => answerFaults(`/more/${i}/answers`, each.answers, adapter !== null)),
    ...repeats('/norms', norms, ({ map, layer: of }) => `${map} of layer ${of}`, 'each linear once'),
    ...repeats('/layers/rows', layers?.rows ?? [], ({ layer: of }) => `layer ${of}`, 'each layer once'),
    ...ascendingFaults('/strengths/points', strengths?.points.map(({ strength }) => strength) ?? []),
    ...tableFaults(tables),
  ];
}

const answerFaults = (path: string, given: DitReadingRecord['answers'], adapted: boolean): Issue[] => [
  ...repeats(path, given, ({ who }) => who, 'each once'),
  ...given.flatMap(({ who }, i) =>
    who.endsWith('+adapter') && !adapted
      ? [{ path: `${path}/${i}/who`, given: who, allowed: 'answers without an adapter, as adapter is null' }]
      : [],
  ),
];
