// The straight line through measured points, by least squares, and how far the points lie from it.

/** One measurement: how many, and the seconds that it took. */
export interface Point {
  readonly x: number;
  readonly seconds: number;
}

export interface StraightLine {
  /** Seconds at x = 0. */
  readonly start: number;
  /** Seconds for one more. */
  readonly slope: number;
  /** 1 − residual over total sum of squares; null where all points have the same height. */
  readonly rSquared: number | null;
  /** Largest |point − line| / point. */
  readonly farthest: number;
}

/** @throws Error for fewer than two different x */
export function straightLine(points: readonly Point[]): StraightLine {
  const mean = (of: (point: Point) => number): number =>
    points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [mx, my] = [mean(({ x }) => x), mean(({ seconds }) => seconds)];
  const spread = mean(({ x }) => (x - mx) ** 2);
  if (!(spread > 0)) throw new Error('a line needs two different points');
  const slope = mean(({ x, seconds }) => (x - mx) * (seconds - my)) / spread;
  const start = my - slope * mx;
  const off = (point: Point): number => point.seconds - (start + slope * point.x);
  const total = mean(({ seconds }) => (seconds - my) ** 2);
  return {
    start,
    slope,
    rSquared: total > 0 ? 1 - mean((point) => off(point) ** 2) / total : null,
    farthest: Math.max(...points.map((point) => Math.abs(off(point)) / point.seconds)),
  };
}
