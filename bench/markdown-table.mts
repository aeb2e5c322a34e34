// Small pieces of a Markdown page: tables whose first columns are words, numbers with a true minus sign, means.

export const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;

export const shown = (value: number, digits: number): string => value.toFixed(digits).replace('-', '−');

/** A share from 0 to 1 in percent. */
export const percent = (share: number, digits = 1): string => `${shown(100 * share, digits)} %`;

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

/** The first `words` columns stand left, the others right. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[], words = 1): string {
  return [row(head), row(head.map((_, i) => (i < words ? '---' : '---:'))), ...rows.map(row)].join('\n');
}
