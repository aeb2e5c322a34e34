// Comma-separated values as RFC 4180 has them, with the line and column of every field; and a field written so that it reads back.
import { LimnError } from '@limn/gpu';

/** A place in a file; lines and columns count from 1, columns in UTF-16 units. */
interface Place {
  readonly line: number;
  readonly column: number;
}

/** One field, and where it begins. */
export interface CsvField extends Place {
  readonly text: string;
}

/** Most characters of one field: a prompt of 1,024 tokens, or lists of a thousand answers, take 30,000. */
const LONGEST_FIELD = 2 ** 20;

/**
 * Records of fields, one at a time; empty lines are passed over. Lines end in LF or CRLF. `file` is for messages.
 * @throws LimnError `data/pairs-csv` naming line and column: a quote that is not closed, text behind a closing quote, a quote inside of an unquoted
 * field, a carriage return that ends no line, a NUL, a field that is too long
 */
export function* csvRecords(text: string, file: string): Generator<readonly CsvField[]> {
  const reader = new CsvReader(text, file);
  for (let record = reader.record(); record !== undefined; record = reader.record())
    if (record.length > 1 || record[0]?.text !== '') yield record;
}

/** A field as it stands in a file: quoted where it holds a comma, a quote or a line's end. */
export const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);

class CsvReader {
  #at = 0;
  #line = 1;
  #lineStart = 0;

  constructor(
    readonly text: string,
    readonly file: string,
  ) {
    const nul = text.indexOf('\0');
    if (nul < 0) return;
    const before = text.slice(0, nul).split('\n');
    throw this.#fault(
      { line: before.length, column: (before.at(-1) as string).length + 1 },
      'holds a NUL character.',
      'Save the file as UTF-8; this looks like UTF-16 or binary data.',
    );
  }

  /** The next line's fields; undefined behind the last. An empty line is one empty field. */
  record(): CsvField[] | undefined {
    const { text } = this;
    if (this.#at >= text.length) return undefined;
    const fields = [this.#field()];
    while (text[this.#at] === ',') {
      this.#at++;
      fields.push(this.#field());
    }
    if (text.startsWith('\r\n', this.#at)) this.#at++;
    const end = text[this.#at];
    if (end === '\r')
      throw this.#fault(this.#place(), 'has a carriage return that ends no line.', 'End lines in LF or CRLF.');
    if (end !== undefined && end !== '\n')
      throw this.#fault(
        this.#place(),
        'has text behind a closing quote.',
        'A quote inside of a field is written twice.',
      );
    this.#newLine();
    return fields;
  }

  #field(): CsvField {
    const place = this.#place();
    const start = this.#at;
    const text = this.text[start] === '"' ? this.#quoted(place) : this.#bare();
    if (this.#at - start <= LONGEST_FIELD) return { text, ...place };
    throw this.#fault(place, `begins a field of more than ${LONGEST_FIELD} characters.`, 'A quote may lack its end.');
  }

  #quoted(place: Place): string {
    const { text } = this;
    const pieces: string[] = [];
    for (this.#at++; ; this.#at++) {
      const close = text.indexOf('"', this.#at);
      if (close < 0)
        throw this.#fault(
          place,
          'opens a quote that is never closed.',
          'Close it; a quote inside of a field is written twice.',
        );
      const begin = this.#at;
      for (let next = text.indexOf('\n', begin); next >= 0 && next < close; next = text.indexOf('\n', next + 1)) {
        this.#at = next;
        this.#newLine();
      }
      pieces.push(text.slice(begin, close));
      this.#at = close + 1;
      if (text[this.#at] !== '"') return pieces.join('"');
    }
  }

  #bare(): string {
    const { text } = this;
    const start = this.#at;
    while (this.#at < text.length && !',\n\r"'.includes(text[this.#at] as string)) this.#at++;
    if (text[this.#at] !== '"') return text.slice(start, this.#at);
    throw this.#fault(
      this.#place(),
      'has a quote inside of an unquoted field.',
      'Quote the whole field, and write quotes in it twice.',
    );
  }

  #newLine(): void {
    this.#at++;
    this.#line++;
    this.#lineStart = this.#at;
  }

  #place(): Place {
    return { line: this.#line, column: this.#at - this.#lineStart + 1 };
  }

  #fault({ line, column }: Place, what: string, hint: string): LimnError {
    return new LimnError('data/pairs-csv', `${this.file}:${line}:${column} ${what}`, {
      details: { file: this.file, line, column },
      hint,
    });
  }
}
