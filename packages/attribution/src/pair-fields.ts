// One row of a pairs file, whatever its format: prompts and answers as text or ids, turned into a pair, or refused by code.
import { LimnError } from '@limn/gpu';
import { checkPair } from './pair-checks.js';
import type { Pair, ParsePairsOptions, PairTokenizer } from './pairs.js';

/** The four fields of a pair as they were found. */
export interface PairFields {
  readonly clean: unknown;
  readonly corrupted: unknown;
  readonly correct: unknown;
  readonly incorrect: unknown;
}

/** A pair, and what was done to the row. */
export interface ReadPair {
  readonly pair: Pair;
  /** A BOS was put in front of a prompt. */
  readonly prepended: boolean;
  /** A list named an answer more than once; the pair has it once. */
  readonly repeated: boolean;
}

/** `data/pairs-…` for a row. */
export function pairFault(kind: string, where: string, what: string, hint: string): LimnError {
  return new LimnError(`data/pairs-${kind}`, `${where} ${what}`, { details: { where }, hint });
}

/** What `-field` errors say about the form of a row. */
const FORM =
  'A pair is {"clean": "text" | [ids], "corrupted": …, "correct": [strings | ids], "incorrect": [strings | ids]}.';

/** The prompts alone, in ids and unchecked, for showing a row that was refused; undefined where one cannot be read. */
export function readPrompts(
  fields: PairFields,
  where: string,
  options: ParsePairsOptions,
): Pick<Pair, 'clean' | 'corrupted'> | undefined {
  try {
    const reader = new FieldReader(where, options);
    return { clean: reader.prompt('clean', fields.clean), corrupted: reader.prompt('corrupted', fields.corrupted) };
  } catch (error) {
    if (error instanceof LimnError) return undefined;
    throw error;
  }
}

/** The pair of four fields. Errors as `parsePairs`. */
export function readPair(fields: PairFields, where: string, options: ParsePairsOptions): ReadPair {
  const reader = new FieldReader(where, options);
  const prompts = {
    clean: reader.prompt('clean', fields.clean),
    corrupted: reader.prompt('corrupted', fields.corrupted),
  };
  const named = [reader.answers('correct', fields.correct), reader.answers('incorrect', fields.incorrect)];
  const [correct, incorrect] = named.map((ids) => [...new Set(ids)]) as [number[], number[]];
  const pair = { ...prompts, correct, incorrect };
  checkPair(pair, where, options);
  const repeated = correct.length + incorrect.length < named.flat().length;
  return { pair, prepended: reader.prepended, repeated };
}

class FieldReader {
  prepended = false;

  constructor(
    readonly where: string,
    readonly options: ParsePairsOptions,
  ) {}

  prompt(field: 'clean' | 'corrupted', value: unknown): readonly number[] {
    if (isIds(value)) return value;
    if (typeof value !== 'string')
      throw this.#fault('field', `has a "${field}" that is neither a text nor a list of token ids.`);
    const ids = this.#tokenizer(field).encode(value);
    if (this.options.bos === false) return ids;
    const bosId = this.options.tokenizer?.bosId ?? this.options.model.bosId;
    if (bosId === undefined)
      throw this.#fault(
        'no-bos',
        `has text, and this model has no BOS token to put in front.`,
        'Turn the BOS off (--no-bos).',
      );
    this.prepended = true;
    return [bosId, ...ids];
  }

  answers(field: 'correct' | 'incorrect', value: unknown): readonly number[] {
    if (!Array.isArray(value)) throw this.#fault('field', `has a "${field}" that is not a list.`);
    return value.map((answer: unknown) => {
      if (typeof answer === 'number') return answer;
      if (typeof answer !== 'string')
        throw this.#fault('field', `has ${JSON.stringify(answer)} in "${field}"; answers are strings or ids.`);
      const [id, ...more] = this.#tokenizer(field).encode(answer);
      if (id === undefined || more.length > 0)
        throw this.#fault(
          'answer',
          `has the answer ${JSON.stringify(answer)} in "${field}", which is ${more.length + (id === undefined ? 0 : 1)} tokens.`,
          'An answer is one token; write it with its leading space, as in " Paris".',
        );
      return id;
    });
  }

  #tokenizer(field: string): PairTokenizer {
    if (!this.options.tokenizer)
      throw this.#fault(
        'no-tokenizer',
        `has text in "${field}", and this model has no tokenizer.`,
        'Use lists of token ids.',
      );
    return this.options.tokenizer;
  }

  #fault(kind: string, what: string, hint = FORM): LimnError {
    return pairFault(kind, this.where, what, hint);
  }
}

function isIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'number');
}
