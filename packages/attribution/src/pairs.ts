// Pairs files: JSON lines of { clean, corrupted, correct, incorrect }, as text or as token ids, checked against the model before any work.
import { LimnError } from '@limn/gpu';
import { describeMismatch } from './pair-alignment.js';

/** One clean/corrupted prompt pair as token ids; both prompts have the same length. */
export interface Pair {
  readonly clean: readonly number[];
  readonly corrupted: readonly number[];
  /** Next-token ids that the clean prompt makes right. */
  readonly correct: readonly number[];
  /** Next-token ids that the clean prompt makes wrong; may be empty for the KL metric. */
  readonly incorrect: readonly number[];
}

/** What a pair must fit; every `ModelInfo` has these fields. */
export interface PairLimits {
  /** Token ids are 0 … vocabulary − 1. */
  readonly vocabulary: number;
  /** The most tokens a prompt may have, a BOS included. */
  readonly maxPositions: number;
  /** Put in front of text prompts, unless the tokenizer names another. */
  readonly bosId?: number | undefined;
}

/** What text needs. Any tokenizer of any package fits. */
export interface PairTokenizer {
  /** Ids of `text`, with no special token added. */
  encode(text: string): readonly number[];
  /** The text of one id, as shown in errors. */
  decode(ids: readonly number[]): string;
  /** Put in front of text prompts; a tokenizer knows one that the model's configuration may leave out. Default: the model's. */
  readonly bosId?: number | undefined;
}

/** Whose pairs these are: the model's limits and tokenizer. */
export interface ParsePairsOptions {
  readonly model: PairLimits;
  /** Without one, a file may hold token ids only. */
  readonly tokenizer?: PairTokenizer | undefined;
  /** Put one BOS in front of text prompts (default true). Id lists are taken verbatim. */
  readonly bos?: boolean | undefined;
  /** Named in errors. */
  readonly file?: string | undefined;
}

/** Pairs as read, and how. */
export interface ParsedPairs {
  readonly pairs: readonly Pair[];
  /** 'prepended' when at least one text prompt got a BOS. */
  readonly bos: 'prepended' | 'none';
}

const FIELDS = ['clean', 'corrupted', 'correct', 'incorrect'] as const;

/**
 * Reads a pairs file. Every error has the code `data/pairs-…`, names file and line, and says what to do:
 * `-empty`, `-json`, `-field`, `-no-tokenizer`, `-no-bos`, `-answer` (not one token), `-unknown-id`, `-too-long`, `-length-mismatch`.
 */
export function parsePairs(text: string, options: ParsePairsOptions): ParsedPairs {
  const pairs: Pair[] = [];
  let prepended = false;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '') continue;
    const reader = new LineReader(`${options.file ?? 'pairs'}:${index + 1}`, line, options);
    pairs.push(reader.pair());
    prepended ||= reader.prepended;
  }
  checkPairs(pairs, options);
  return { pairs, bos: prepended ? 'prepended' : 'none' };
}

/** Checks pairs that were made by a program; the same codes as {@link parsePairs}. */
export function checkPairs(
  pairs: readonly Pair[],
  options: Pick<ParsePairsOptions, 'model' | 'tokenizer' | 'file'>,
): void {
  if (pairs.length === 0)
    throw new LimnError('data/pairs-empty', `${options.file ?? 'The list of pairs'} holds no pair.`, {
      hint: 'One JSON object a line: {"clean": […], "corrupted": […], "correct": […], "incorrect": […]}.',
    });
  for (const [index, pair] of pairs.entries()) checkPair(pair, `pair ${index + 1}`, options);
}

function checkPair(
  pair: Pair,
  where: string,
  { model, tokenizer }: Pick<ParsePairsOptions, 'model' | 'tokenizer'>,
): void {
  for (const field of FIELDS)
    for (const [position, id] of pair[field].entries())
      if (!Number.isInteger(id) || id < 0 || id >= model.vocabulary)
        throw new LimnError(
          'data/pairs-unknown-id',
          `${where}: "${field}"[${position}] is ${id}; this model has token ids 0 to ${model.vocabulary - 1}.`,
          { details: { where, field, position, id, vocabulary: model.vocabulary } },
        );
  if (pair.clean.length !== pair.corrupted.length)
    throw new LimnError(
      'data/pairs-length-mismatch',
      `${where}: ${describeMismatch(pair.clean, pair.corrupted, tokenizer)}`,
      {
        details: { where, clean: pair.clean.length, corrupted: pair.corrupted.length },
        hint: 'Edges are patched position by position: rewrite one prompt so that both have the same number of tokens.',
      },
    );
  if (pair.clean.length === 0)
    throw new LimnError('data/pairs-field', `${where}: the prompts have no token.`, {
      details: { where },
      hint: 'A prompt needs at least one token, e.g. the BOS.',
    });
  if (pair.clean.length > model.maxPositions)
    throw new LimnError(
      'data/pairs-too-long',
      `${where}: the prompts have ${pair.clean.length} tokens; this model reads at most ${model.maxPositions}.`,
      { details: { where, tokens: pair.clean.length, maxPositions: model.maxPositions } },
    );
}

/** Turns one line into a pair. */
class LineReader {
  prepended = false;
  readonly #where: string;
  readonly #fields: Readonly<Record<string, unknown>>;
  readonly #options: ParsePairsOptions;

  constructor(where: string, line: string, options: ParsePairsOptions) {
    this.#where = where;
    this.#options = options;
    let json: unknown;
    try {
      json = JSON.parse(line);
    } catch (cause) {
      throw this.#fault('json', `is not JSON: ${cause instanceof Error ? cause.message : String(cause)}.`);
    }
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw this.#fault('json', 'is not a JSON object.');
    this.#fields = json as Record<string, unknown>;
  }

  pair(): Pair {
    for (const field of FIELDS)
      if (this.#fields[field] === undefined)
        throw this.#fault('field', `has no "${field}"; it has ${Object.keys(this.#fields).join(', ') || 'nothing'}.`);
    const pair = {
      clean: this.#prompt('clean'),
      corrupted: this.#prompt('corrupted'),
      correct: this.#answers('correct'),
      incorrect: this.#answers('incorrect'),
    };
    checkPair(pair, this.#where, this.#options);
    return pair;
  }

  #prompt(field: 'clean' | 'corrupted'): readonly number[] {
    const value = this.#fields[field];
    if (isIds(value)) return value;
    if (typeof value !== 'string')
      throw this.#fault('field', `has a "${field}" that is neither a text nor a list of token ids.`);
    const ids = this.#tokenizer(field).encode(value);
    if (this.#options.bos === false) return ids;
    const bosId = this.#options.tokenizer?.bosId ?? this.#options.model.bosId;
    if (bosId === undefined)
      throw this.#fault(
        'no-bos',
        `has text, and this model has no BOS token to put in front.`,
        'Turn the BOS off (--no-bos).',
      );
    this.prepended = true;
    return [bosId, ...ids];
  }

  #answers(field: 'correct' | 'incorrect'): readonly number[] {
    const value = this.#fields[field];
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
    if (!this.#options.tokenizer)
      throw this.#fault(
        'no-tokenizer',
        `has text in "${field}", and this model has no tokenizer.`,
        'Use lists of token ids.',
      );
    return this.#options.tokenizer;
  }

  #fault(kind: string, what: string, hint?: string): LimnError {
    return new LimnError(`data/pairs-${kind}`, `${this.#where} ${what}`, {
      details: { where: this.#where },
      hint:
        hint ??
        'Each line: {"clean": "text" | [ids], "corrupted": …, "correct": [strings | ids], "incorrect": [strings | ids]}.',
    });
  }
}

function isIds(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((id) => typeof id === 'number');
}
