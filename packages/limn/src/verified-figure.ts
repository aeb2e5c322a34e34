// One published figure beside what was measured, and a line of text about it.

/** One published figure beside what was measured. */
export interface VerifiedFigure {
  readonly name: string;
  readonly published: number;
  /** The largest difference that passes; 0 for counts. */
  readonly tolerance: number;
  readonly measured: number;
  readonly pass: boolean;
  /** Digits behind the point; default 4. */
  readonly digits?: number;
}

export function figure(name: string, published: number, tolerance: number, measured: number): VerifiedFigure {
  return { name, published, tolerance, measured, pass: Math.abs(measured - published) <= tolerance };
}

/** What two programs in f32 differ by, relative to the value: sums of some thousand products in another order. */
const ROUND_OFF = 1e-5;

/** A figure as it is printed: it passes within half a unit of its last digit, and round-off. */
export function printedFigure(name: string, printed: string, measured: number): VerifiedFigure {
  const [, fraction = ''] = printed.split('.');
  const published = Number(printed);
  const tolerance = 0.5 * 10 ** -fraction.length + ROUND_OFF * Math.abs(published);
  return { ...figure(name, published, tolerance, measured), digits: fraction.length };
}

/** A line per figure: pass or FAIL, what was measured, what was published. */
export function describeFigures(figures: readonly VerifiedFigure[]): string[] {
  const shown = (value: number, { tolerance, digits = 4 }: VerifiedFigure, more = 0): string =>
    tolerance === 0 ? String(value) : value.toFixed(digits + more);
  const widest = Math.max(...figures.map(({ name }) => name.length));
  return figures.map((each) => {
    const { name, published, tolerance, measured, pass, digits } = each;
    const within = tolerance === 0 ? '' : ` ± ${digits === undefined ? tolerance : Number(tolerance.toPrecision(2))}`;
    // Of what is printed to few digits one more is shown: whether it rounds to them.
    const own = shown(measured, each, digits === undefined ? 0 : 1);
    return `${pass ? 'pass' : 'FAIL'}  ${name.padEnd(widest)}  ${own}  (published ${shown(published, each)}${within})`;
  });
}
