// Where long computations keep what they have so far: one text per key, sealed with its digest so that damage tells itself.
import { sha256 } from '@limn/gpu';

/** Keeps texts by key: a folder of files, a database of the browser, a map. */
export interface TextStore {
  /** The text of that key, or undefined where there is none. */
  read(key: string): Promise<string | undefined>;
  /** Keeps the text, whole or not at all. */
  write(key: string, text: string): Promise<void>;
}

/** A text of one line with its digest behind it. */
export async function sealText(body: string): Promise<string> {
  return `${body}\n${await sha256(body)}\n`;
}

/** What was sealed; undefined for no text, and for text that is damaged or cut off. */
export async function openSealed(text: string | undefined): Promise<string | undefined> {
  if (text === undefined) return undefined;
  const [body = '', digest = ''] = text.split('\n');
  return (await sha256(body)) === digest ? body : undefined;
}
