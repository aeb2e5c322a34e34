// Files of examples: JSON lines of a prompt and two answers, as text or ids, checked against the model before any work.
import { LimnError } from '@limn/gpu';
import { checkExamples, type SteeringExample } from './examples.js';

/** What text needs. Any tokenizer of any package fits. */
export interface ExampleTokenizer {
  /** Ids of `text`, with no special token added. */
  encode(text: string): readonly number[];
  /** The text of ids, as shown in errors. */
  decode(ids: readonly number[]): string;
  /** Put in front of text prompts. Default: the model's. */
  readonly bosId?: number | undefined;
}

/** Whose examples these are. */
export interface ParseExamplesOptions {
  readonly model: { readonly vocabulary: number; readonly maxPositions: number; readonly bosId?: number | undefined };
  /** Without one, a file may hold token ids only. */
  readonly tokenizer?: ExampleTokenizer | undefined;
  /** Put one BOS in front of text prompts (default true). Id lists are taken verbatim. */
  readonly bos?: boolean | undefined;
  /** Named in errors. Default 'examples'. */
  readonly file?: string | undefined;
}

/** What a line may hold. */
const FORM =
  'A line is {"prompt": "text" | [ids], "correct": "text" | id, "wrong": "text" | id}, and may have "roles": [name | null per token] and "entities": [names].';

/**
 * Reads examples, one JSON object a line: `prompt`, `correct`, `wrong`, and where positions are by role `roles`, one name or null per token of
 * the prompt, the BOS included; `entities` is what the prompt is about, for splits.
 * @throws LimnError naming file and line: `data/steering-json`, `data/steering-field`, `data/steering-no-tokenizer`, `data/steering-no-bos`,
 * `data/steering-answer` (not one token, or both the same), `data/steering-prompt`, `data/steering-roles`, `data/steering-empty`
 */
export function parseExamples(text: string, options: ParseExamplesOptions): SteeringExample[] {
  const file = options.file ?? 'examples';
  const examples: SteeringExample[] = [];
  text.split('\n').forEach((line, i) => {
    if (line.trim() !== '') examples.push(new LineReader(`${file}:${i + 1}`, options).example(line));
  });
  checkExamples(examples, options.model);
  return examples;
}

/** An example as it is written down: its prompt and answers as text or ids. */
export interface WrittenExample {
  readonly prompt: string | readonly number[];
  readonly correct: string | number;
  readonly wrong: string | number;
}

/**
 * One example that was not read from a file; `file` is what errors begin with, as '--prompt'.
 * @throws LimnError as `parseExamples`
 */
export function parseExample(
  { prompt, correct, wrong }: WrittenExample,
  options: ParseExamplesOptions,
): SteeringExample {
  return new LineReader(options.file ?? 'the example', options).exampleOf({ prompt, correct, wrong });
}

class LineReader {
  constructor(
    readonly where: string,
    readonly options: ParseExamplesOptions,
  ) {}

  example(line: string): SteeringExample {
    return this.exampleOf(this.#object(line));
  }

  exampleOf({ prompt, correct, wrong, roles, entities }: Readonly<Record<string, unknown>>): SteeringExample {
    const example = {
      prompt: this.#prompt(prompt),
      correct: this.#answer('correct', correct),
      wrong: this.#answer('wrong', wrong),
      ...(roles === undefined ? {} : { roles: this.#names('roles', roles) }),
      ...(entities === undefined
        ? {}
        : { entities: this.#names('entities', entities).filter((name) => name !== undefined) }),
    };
    try {
      checkExamples([example], this.options.model);
    } catch (error) {
      if (!(error instanceof LimnError)) throw error;
      const { code, message, details, hint } = error;
      const said = `${this.where}: ${message.replace(/^Example 0: /, '')}`;
      throw new LimnError(code, said, {
        details: { ...details, where: this.where },
        ...(hint === undefined ? {} : { hint }),
      });
    }
    return example;
  }

  #object(line: string): Readonly<Record<string, unknown>> {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (cause) {
      throw this.#fault('json', `is no JSON: ${(cause as Error).message}`, FORM);
    }
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
    throw this.#fault('field', 'holds no JSON object.', FORM);
  }

  #prompt(value: unknown): readonly number[] {
    if (Array.isArray(value) && value.every((id) => typeof id === 'number')) return value as number[];
    if (typeof value !== 'string')
      throw this.#fault('field', 'has a "prompt" that is neither a text nor a list of token ids.', FORM);
    const ids = this.#tokenizer('prompt').encode(value);
    if (this.options.bos === false) return ids;
    const bosId = this.options.tokenizer?.bosId ?? this.options.model.bosId;
    if (bosId !== undefined) return [bosId, ...ids];
    throw this.#fault(
      'no-bos',
      'has text, and this model has no BOS token to put in front.',
      'Give token ids, or say that text gets no BOS.',
    );
  }

  #answer(field: 'correct' | 'wrong', value: unknown): number {
    if (typeof value === 'number') return value;
    if (typeof value !== 'string')
      throw this.#fault('field', `has a "${field}" that is neither a text nor a token id.`, FORM);
    const tokenizer = this.#tokenizer(field);
    const ids = tokenizer.encode(value);
    const [id] = ids;
    if (id !== undefined && ids.length === 1) return id;
    const parts = ids.map((each) => JSON.stringify(tokenizer.decode([each]))).join(' ');
    throw this.#fault(
      'answer',
      `has "${field}": ${JSON.stringify(value)}, which is ${ids.length} tokens${ids.length > 0 ? `: ${parts}` : ''}.`,
      'Answers are compared at one position, so each is one token: give it with the space in front of it, or choose a word that is one token.',
    );
  }

  #names(field: 'roles' | 'entities', value: unknown): (string | undefined)[] {
    if (Array.isArray(value) && value.every((name) => typeof name === 'string' || (name === null && field === 'roles')))
      return (value as (string | null)[]).map((name) => name ?? undefined);
    throw this.#fault('field', `has "${field}" that are no list of names.`, FORM);
  }

  #tokenizer(field: string): ExampleTokenizer {
    if (this.options.tokenizer) return this.options.tokenizer;
    throw this.#fault(
      'no-tokenizer',
      `has a "${field}" of text, and this model has no tokenizer.`,
      'Give token ids, or the folder of a model with its tokenizer.',
    );
  }

  #fault(kind: string, what: string, hint: string): LimnError {
    return new LimnError(`data/steering-${kind}`, `${this.where} ${what}`, { details: { where: this.where }, hint });
  }
}
