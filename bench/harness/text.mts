// Numbers as people read them in the benches' tables. Runs in Node and in browsers.

/** Three significant digits, never as a power of ten where a table can do without. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString('en').replace(/,/g, ' ');
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  if (size === 0) return '0';
  return value.toPrecision(2);
}

/** '12.3 ms', '1.2 s', '85 µs'. */
export function duration(milliseconds: number): string {
  if (milliseconds >= 1000) return `${digits(milliseconds / 1000)} s`;
  return milliseconds >= 0.1 ? `${digits(milliseconds)} ms` : `${digits(milliseconds * 1000)} µs`;
}

/** '3.2×' */
export const times = (ratio: number): string => `${digits(ratio)}×`;

/** '65 %' */
export const percent = (share: number): string => `${(100 * share).toFixed(share > 0 && share < 0.095 ? 1 : 0)} %`;

/** Amount per time in thousands of millions a second: GFLOP/s of operations, GB/s of bytes. Empty where there is no amount. */
export const rate = (amount: number | undefined, milliseconds: number): string =>
  amount === undefined ? '' : digits(amount / milliseconds / 1e6);

/** A figure of the table of what is to be reached. */
export const figure = (value: number | undefined, unit: '×' | '%'): string =>
  value === undefined ? '–' : unit === '%' ? percent(value) : times(value);
