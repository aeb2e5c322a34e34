// Rows of a pairs file that cannot be used: what is kept of each, and the errors that name them.
import { LimnError } from '@limn/gpu';

/** A row that cannot be used, and why. */
export interface RefusedRow {
  /** File and line. */
  readonly where: string;
  /** As the row alone would throw it: `data/pairs-…`. */
  readonly code: string;
  /** Begins with the place; of prompts that differ in length it shows both, token by token. */
  readonly message: string;
}

/** Rows that an error names; it counts the others. */
const NAMED = 20;

export function refusedRow({ where, error }: { readonly where: string; readonly error: LimnError }): RefusedRow {
  return { where, code: error.code, message: error.message };
}

/** Throws what is wrong with the first row, and names the others. `details.rows` has them all. */
export function refuseRows(faults: readonly { readonly error: LimnError }[], refused: readonly RefusedRow[]): void {
  const [first, ...others] = faults;
  if (first === undefined) return;
  const { code, message, hint, details } = first.error;
  const named = refused.slice(1, NAMED).map((row) => `${row.where} (${row.code})`);
  const more = others.length > named.length ? ' …' : '';
  const rest =
    others.length === 0
      ? ''
      : `\n${others.length} more ${others.length === 1 ? 'row' : 'rows'} cannot be used: ${named.join(', ')}${more}`;
  throw new LimnError(code, `${message}${rest}`, {
    details: { ...details, rows: refused },
    ...(hint === undefined ? {} : { hint }),
  });
}

/** `data/pairs-quarantined`: bad rows were to be left out, and nothing else is there. */
export function noneLeft(file: string, refused: readonly RefusedRow[]): LimnError {
  const [first] = refused;
  return new LimnError(
    'data/pairs-quarantined',
    `Not one of the ${refused.length} rows of ${file} can be used; the first: ${first?.message ?? ''} (${first?.code ?? ''})`,
    { details: { file, rows: refused }, hint: '`limn pairs` shows what is wrong with each row.' },
  );
}
