// The mean of a few repeated measurements with its 95 % confidence interval, x̄ ± t(.975, n − 1) · s / √n.

/** Student's t at .975 for 1 … 30 degrees of freedom; beyond, the normal distribution's 1.96 is within 3 %. */
const STUDENT = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

export interface Interval {
  readonly mean: number;
  /** Half the interval's width; null for a single measurement, which has none. */
  readonly half: number | null;
  readonly least: number;
  readonly most: number;
}

/** undefined where nothing was measured. */
export function interval(values: readonly number[]): Interval | undefined {
  const n = values.length;
  if (n === 0) return undefined;
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  if (n === 1) return { mean, half: null, least, most };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { mean, half: (STUDENT[n - 2] ?? 1.96) * Math.sqrt(variance / n), least, most };
}

const shown = (value: number, digits: number): string => value.toFixed(digits).replace('-', '−');

/** '12.5 ± 1.4'; '–' where nothing was measured. */
export function intervalText(values: readonly number[], digits: number): string {
  const found = interval(values);
  if (!found) return '–';
  const half = found.half === null || found.least === found.most ? '' : ` ± ${shown(found.half, digits)}`;
  return `${shown(found.mean, digits)}${half}`;
}
