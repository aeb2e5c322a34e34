// Comma-separated values as RFC 4180 has them, with the line and column of every field; and a field written so that it reads back.
import { LimnError } from '@limn/gpu';

/** One field, and where it begins; lines and columns count from 1, columns in UTF-16 units. */
export interface CsvField {
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

/** Most characters of one field: a prompt of 1,024 tokens with lists of a thousand answers takes 30,000. */
const LONGEST_FIELD = 2 ** 20;

/**
 * Records of fields, one at a time; empty lines are passed over. Lines end in LF or CRLF. `file` is for messages.
 * @throws LimnError `data/pairs-csv` naming line and column: a quote that is not closed, text behind a closing quote, a quote inside of an unquoted
 * field, a carriage return that ends no line, a NUL, a field that is too long
 */
export function* csvRecords(text: string, file: string): Generator<readonly CsvField[]> {
  let at = 0;
  let line = 1;
  let lineStart = 0;
  const column = (position: number): number => position - lineStart + 1;
  const fault = (position: number, what: string, hint: string): LimnError =>
    new LimnError('data/pairs-csv', `${file}:${line}:${column(position)} ${what}`, {
      details: { file, line, column: column(position) },
      hint,
    });
  const checkLength = (start: number): void => {
    if (at - start > LONGEST_FIELD)
      throw fault(start, `begins a field of more than ${LONGEST_FIELD} characters.`, 'A quote may be missing its end.');
  };
  const quoted = (): CsvField => {
    const start = at;
    const begin = { line, column: column(start) };
    const unclosed = fault(start, 'opens a quote that is never closed.', 'A quote inside of a field is written twice.');
    const pieces: string[] = [];
    for (at++; ;) {
      const close = text.indexOf('"', at);
      if (close < 0) throw unclosed;
      const piece = text.slice(at, close);
      for (let next = piece.indexOf('\n'); next >= 0; next = piece.indexOf('\n', next + 1)) {
        line++;
        lineStart = at + next + 1;
      }
      pieces.push(piece);
      at = close + 1;
      checkLength(start);
      if (text[at] !== '"') return { text: pieces.join('"'), ...begin };
      at++;
    }
  };
  const bare = (): CsvField => {
    const start = at;
    while (at < text.length && !',\n\r"'.includes(text[at] as string)) at++;
    checkLength(start);
    if (text[at] === '"')
      throw fault(
        at,
        'has a quote inside of an unquoted field.',
        'Quote the whole field, and write quotes in it twice.',
      );
    return { text: text.slice(start, at), line, column: column(start) };
  };
  const nul = text.indexOf('\0');
  while (at < text.length) {
    const record: CsvField[] = [];
    for (let more = true; more;) {
      const field = text[at] === '"' ? quoted() : bare();
      if (nul >= 0 && nul < at)
        throw fault(nul, 'holds a NUL character.', 'Save the file as UTF-8; this looks like UTF-16 or binary data.');
      record.push(field);
      more = text[at] === ',';
      if (more) at++;
    }
    if (text[at] === '\r' && text[at + 1] === '\n') at++;
    if (at < text.length && text[at] !== '\n')
      throw text[at] === '\r'
        ? fault(at, 'has a carriage return that ends no line.', 'End lines in LF or CRLF.')
        : fault(at, 'has text behind a closing quote.', 'A quote inside of a field is written twice.');
    at++;
    if (record.length > 1 || record[0]?.text !== '') yield record;
    line++;
    lineStart = at;
  }
}

/** A field as it stands in a file: quoted where it holds a comma, a quote or a line's end. */
export const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
