// A text file as sequences of one length: documents one behind the other, a BOS before each and at the start of every sequence.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ModelInfo } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { encodeAt } from './known-text.js';
import type { ModelTokenizer } from './model-source.js';
import { parseCorpus } from './training-jobs.js';

/** Sequences of a file. */
export interface TokenWindows {
  /** Each of 2 to `length` token ids. */
  readonly sequences: readonly Uint32Array[];
  /** sha256 over the sequences, each behind its length. */
  readonly sha256: string;
}

/** What a file is read with. */
export interface WindowRequest {
  /** Named in messages: '--text'. */
  readonly option: string;
  readonly file: string;
  readonly info: ModelInfo;
  readonly tokenizer?: ModelTokenizer | undefined;
  /** Most tokens of a sequence. */
  readonly length: number;
}

/**
 * Reads text, whose documents are parted by blank lines, or a `.jsonl` file with one list of token ids a line, taken as they are and cut
 * where they are longer than a sequence.
 * @throws LimnError `data/text` for a file that cannot be read or has not two tokens, `data/corpus` for ids, `usage/no-tokenizer`,
 * `tokenizer/unknown-text`
 */
export async function tokenWindows({ option, file, info, tokenizer, length }: WindowRequest): Promise<TokenWindows> {
  const text = await readText(option, file);
  const sequences = file.endsWith('.jsonl')
    ? parseCorpus(text, file, info).flatMap((ids) => cut(ids, length))
    : packed(documentsOf(`${option} ${file}`, text, tokenizer), length, info.bosId);
  if (sequences.length === 0)
    throw new LimnError('data/text', `${option} ${file} has no two tokens in a row`, {
      details: { file },
      hint: 'give a text of at least some thousand tokens',
    });
  const hash = createHash('sha256');
  for (const ids of sequences) hash.update(Uint32Array.of(ids.length)).update(ids);
  return { sequences, sha256: hash.digest('hex') };
}

async function readText(option: string, file: string): Promise<string> {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(file));
  } catch (cause) {
    throw new LimnError('data/text', `${option} ${file} cannot be read as UTF-8: ${(cause as Error).message}`, {
      details: { file },
      cause,
    });
  }
}

function documentsOf(where: string, text: string, tokenizer: ModelTokenizer | undefined): (readonly number[])[] {
  if (tokenizer === undefined)
    throw new LimnError('usage/no-tokenizer', `${where}: the model has no tokenizer`, {
      hint: 'give token ids in a .jsonl file, one list a line, or add tokenizer.json to the model',
    });
  return text
    .split(/\r?\n(?:[ \t]*\r?\n)+/)
    .filter((document) => document.trim() !== '')
    .map((document) => encodeAt(where, tokenizer, document, { prependBos: false }));
}

function cut(ids: Uint32Array, length: number): Uint32Array[] {
  const parts: Uint32Array[] = [];
  for (let at = 0; at + 1 < ids.length; at += length) parts.push(ids.slice(at, at + length));
  return parts.filter((part) => part.length > 1);
}

/** Documents in sequences of exactly `length` ids, the last one of 2 or more; where one is cut, it goes on behind another BOS. */
export function packed(
  documents: readonly (readonly number[])[],
  length: number,
  bos: number | undefined,
): Uint32Array[] {
  const sequences: Uint32Array[] = [];
  let row: number[] = [];
  for (const document of documents)
    for (let at = 0; at < document.length;) {
      if (bos !== undefined && (at === 0 || row.length === 0)) row.push(bos);
      const part = document.slice(at, at + length - row.length);
      row.push(...part);
      at += part.length;
      if (row.length < length) continue;
      sequences.push(Uint32Array.from(row));
      row = [];
    }
  return row.length > 1 ? [...sequences, Uint32Array.from(row)] : sequences;
}
