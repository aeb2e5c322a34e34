// Tables of model cards.
import type { Requirement } from '@limn/pocket';

/** A Markdown table; bars inside of cells are escaped. */
export function rows(head: readonly string[], body: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), `|${head.map(() => '---').join('|')}|`, ...body.map(line)];
}

/** Each figure beside its bound, and by how much it misses it. */
export function requirementRows(requirements: readonly Requirement[], digits = 3): string[] {
  return rows(
    ['figure', 'value', 'asked', 'met'],
    requirements.map(({ name, value, bound, sense, met }) => [
      name,
      value.toFixed(digits),
      `${sense} ${bound}`,
      met ? 'yes' : `no, by ${Math.abs(value - bound).toFixed(digits)}`,
    ]),
  );
}
