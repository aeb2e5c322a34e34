// A file of rows that diffs are trained on: JSON lines with the diff's id, a prompt and its answer, as texts or as token ids.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { DiffNote } from '@limn/dit';
import { LimnError, shownValue } from '@limn/gpu';
import type { ModelInfo } from '@limn/hooks';
import { encodeAt } from './known-text.js';
import type { OpenModel } from './model-source.js';

/** One row of a diff. */
export interface DiffDataRow {
  readonly prompt: readonly number[];
  /** With the token that ends it. */
  readonly answer: readonly number[];
  readonly loss: 'cross-entropy' | 'kl';
  /** Above 0. */
  readonly weight: number;
}

/** A diff of a file. */
export interface DiffData {
  readonly id: string;
  readonly rows: readonly DiffDataRow[];
  /** What the file says about it. */
  readonly about: Readonly<Record<string, DiffNote>>;
  /** sha256 over its rows as tokens, in order. */
  readonly sha256: string;
}

/** What is needed of a model to read rows for it. */
export interface RowModel extends Pick<OpenModel, 'name' | 'tokenizer'> {
  readonly hooked: { readonly info: Pick<ModelInfo, 'vocabulary' | 'maxPositions' | 'eosId'> };
}

/** How texts become tokens. */
export interface DiffDataForm {
  /** A BOS in front of prompts that are texts. */
  readonly bos: boolean;
  /** The model's end token behind answers that are texts. */
  readonly end: boolean;
}

const FIELDS = ['diff', 'prompt', 'answer', 'loss', 'weight', 'about'];
const LOSSES = ['cross-entropy', 'kl'] as const;

/**
 * The diffs of a file in the order in which they come, each with its rows in theirs.
 * @throws LimnError `data/diff-rows` naming file, line and field; `usage/no-tokenizer`, `tokenizer/unknown-text` for texts
 */
export async function readDiffData(file: string, model: RowModel, form: DiffDataForm): Promise<DiffData[]> {
  const found = new Map<string, { rows: DiffDataRow[]; about: Record<string, DiffNote> }>();
  (await textOf(file)).split(/\r?\n/).forEach((line, index) => {
    if (line.trim() === '') return;
    const reader = new RowReader(line, { file, line: index + 1 }, model, form);
    const id = reader.id();
    const own = found.get(id) ?? { rows: [], about: {} };
    own.rows.push(reader.row());
    for (const [name, note] of Object.entries(reader.about())) {
      if (name in own.about && JSON.stringify(own.about[name]) !== JSON.stringify(note))
        throw reader.fault(`about.${name} of '${id}' differs from what an earlier line says of it`);
      own.about[name] = note;
    }
    found.set(id, own);
  });
  if (found.size === 0) throw badFile(file, 'it has no rows');
  return Array.from(found, ([id, { rows, about }]) => ({ id, rows, about, sha256: digestOf(rows) }));
}

/** One line, field by field. */
class RowReader {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(
    text: string,
    readonly place: { readonly file: string; readonly line: number },
    readonly model: RowModel,
    readonly form: DiffDataForm,
  ) {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw this.fault(`it is no JSON: ${(cause as Error).message}`);
    }
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.fault('it is no JSON object');
    this.#fields = { ...value };
    const odd = Object.keys(this.#fields).find((name) => !FIELDS.includes(name));
    if (odd !== undefined)
      throw this.fault(`there is no field '${odd.slice(0, 100)}'; fields are ${FIELDS.join(', ')}`);
  }

  id(): string {
    const { diff } = this.#fields;
    if (typeof diff === 'string' && diff !== '') return diff;
    throw this.fault(`diff is ${shownValue(diff)}, not the name of a diff`);
  }

  row(): DiffDataRow {
    const { loss = 'cross-entropy', weight = 1 } = this.#fields;
    const known = LOSSES.find((name) => name === loss);
    if (!known) throw this.fault(`loss is ${shownValue(loss)}, not ${LOSSES.join(' or ')}`);
    if (typeof weight !== 'number' || !Number.isFinite(weight) || weight <= 0)
      throw this.fault(`weight is ${shownValue(weight)}, not a number above 0`);
    const prompt = this.#tokens('prompt');
    const answer = this.#tokens('answer');
    const { maxPositions } = this.model.hooked.info;
    if (prompt.length + answer.length > maxPositions)
      throw this.fault(
        `prompt and answer are ${prompt.length + answer.length} tokens; ${this.model.name} takes ${maxPositions}`,
      );
    return { prompt, answer, loss: known, weight };
  }

  about(): Readonly<Record<string, DiffNote>> {
    const { about = {} } = this.#fields;
    if (isRecord(about)) return about;
    throw this.fault(`about is ${shownValue(about)}, not an object`);
  }

  fault(what: string): LimnError {
    const { file, line } = this.place;
    return badFile(`${file}:${line}`, what, { file, line });
  }

  #tokens(field: 'prompt' | 'answer'): readonly number[] {
    const value = this.#fields[field];
    const ids = typeof value === 'string' ? this.#encoded(field, value) : value;
    if (!Array.isArray(ids))
      throw this.fault(`${field} is ${shownValue(value)}, neither a text nor a list of token ids`);
    if (ids.length === 0) throw this.fault(`${field} has no token`);
    const { vocabulary } = this.model.hooked.info;
    return ids.map((id: unknown, at) => {
      if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < vocabulary) return id;
      throw this.fault(
        `${field} has ${shownValue(id)} at place ${at}, which is no id of a vocabulary of ${vocabulary}`,
      );
    });
  }

  #encoded(field: 'prompt' | 'answer', text: string): readonly number[] {
    const { tokenizer, hooked, name } = this.model;
    const where = `${this.place.file}:${this.place.line}, ${field}`;
    if (!tokenizer)
      throw new LimnError('usage/no-tokenizer', `${where} is a text, and ${name} has no tokenizer`, {
        hint: 'give token ids, or add tokenizer.json to the folder of the model',
      });
    if (field === 'prompt') return encodeAt(where, tokenizer, text, { prependBos: this.form.bos });
    const ids = encodeAt(where, tokenizer, text, { prependBos: false });
    const { eosId } = hooked.info;
    return this.form.end && eosId !== undefined ? [...ids, eosId] : ids;
  }
}

/** What came out of JSON is plain data. */
const isRecord = (value: unknown): value is Readonly<Record<string, DiffNote>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function digestOf(rows: readonly DiffDataRow[]): string {
  const hash = createHash('sha256');
  for (const { prompt, answer, loss, weight } of rows)
    hash.update(`${JSON.stringify([prompt, answer, loss, weight])}\n`);
  return hash.digest('hex');
}

async function textOf(file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (cause) {
    throw badFile(file, `it cannot be read as UTF-8: ${(cause as Error).message}`, { file }, cause);
  }
}

function badFile(
  where: string,
  what: string,
  details: Readonly<Record<string, string | number>> = { file: where },
  cause?: unknown,
): LimnError {
  return new LimnError('data/diff-rows', `${where}: ${what}`, {
    details,
    hint: 'a line is {"diff": "an id", "prompt": "text" | [ids], "answer": "text" | [ids]}, with "loss": "cross-entropy" | "kl", "weight": 1 and "about": {…} where they are wanted',
    ...(cause === undefined ? {} : { cause }),
  });
}
