// How far Q = softmax(x) is from P besides the answers B, and its gradient at x, in float64 (specs of activation scaling, faithfulness).
// Magnitudes follow softmax-losses.ts: exp may be off by (3 + 2 |x|) ULP, log by 2⁻²¹ absolute.
import type { Reference } from '../tolerance.js';
import { addTerm, zeros } from './shapes.js';

/** Rows of logits beside their references. */
export interface BucketCase {
  /** [M, V] log-probabilities; row n is compared with row n mod M. */
  readonly logp: Float64Array;
  /** [N, V] */
  readonly x: Float64Array;
  readonly width: number;
  /** [N, A] */
  readonly ids: Uint32Array;
  readonly form: 'bucket' | 'rest' | 'mass';
}

interface Row {
  readonly n: number;
  readonly start: number;
  readonly own: Float64Array;
  readonly p: Float64Array;
  readonly q: Float64Array;
  readonly inside: (v: number) => boolean;
  /** Sums over the answers and over the rest. */
  readonly sums: Readonly<Record<'pIn' | 'pOut' | 'qIn' | 'qOut', number>>;
  /** What a log-probability may be off by, in units of the bound. */
  readonly slack: number;
}

function eachRow({ logp, x, width, ids }: BucketCase, visit: (row: Row) => void): void {
  const rows = x.length / width;
  const picks = ids.length / rows;
  const references = logp.length / width;
  for (let n = 0; n < rows; n++) {
    const values = x.subarray(n * width, (n + 1) * width);
    const own = logp.subarray((n % references) * width, ((n % references) + 1) * width);
    const answers = new Set(ids.subarray(n * picks, (n + 1) * picks));
    const top = values.reduce((best, value) => Math.max(best, value), Number.NEGATIVE_INFINITY);
    const total = values.reduce((sum, value) => sum + Math.exp(value - top), 0);
    const lse = top + Math.log(total);
    const p = own.map((value) => Math.exp(value));
    const q = values.map((value) => Math.exp(value - lse));
    const inside = (v: number): boolean => answers.has(v);
    const over = (from: Float64Array, wanted: boolean): number =>
      from.reduce((sum, value, v) => sum + (inside(v) === wanted ? value : 0), 0);
    const widest = values.reduce((most, value) => Math.max(most, top - value), 0);
    visit({
      n,
      start: n * width,
      own,
      p,
      q,
      inside,
      sums: { pIn: over(p, true), pOut: over(p, false), qIn: over(q, true), qOut: over(q, false) },
      slack: 12 + widest + Math.abs(top) + Math.abs(lse - top),
    });
  }
}

/** The divergence per row, [N]. */
export function bucketDivergenceForward(about: BucketCase): Reference {
  const y = zeros(about.x.length / about.width);
  const { form } = about;
  eachRow(about, ({ n, own, p, q, inside, sums: { pIn, pOut, qIn, qOut }, slack }) => {
    if (form === 'mass') {
      addTerm(y, n, Math.abs(pIn - qIn), (pIn + qIn) * (slack + 4));
      return;
    }
    const [weight, byP, byQ] = form === 'rest' ? [1 / pOut, Math.log(pOut), Math.log(qOut)] : [1, 0, 0];
    p.forEach((share, v) => {
      if (share === 0 || inside(v)) return;
      const difference = own[v]! - byP - (Math.log(q[v]!) - byQ);
      const error = Math.abs(own[v]!) + slack + (7 + Math.abs(own[v]!)) * Math.abs(difference);
      addTerm(y, n, weight * share * difference, weight * share * error);
    });
    if (form === 'bucket' && pIn > 0) {
      const difference = Math.log(pIn) - Math.log(qIn);
      addTerm(y, n, pIn * difference, pIn * (slack + 8 + Math.abs(Math.log(pIn)) + 8 * Math.abs(difference)));
    }
  });
  return y;
}

/**
 * Its gradient: bucket: Q_v − P_v outside, Q_v / q · (q − p) inside; rest: Q_v / (1 − q) − P_v / (1 − p) outside, 0 inside; mass:
 * sign(q − p) times −q Q_v outside, (1 − q) Q_v inside.
 */
export function bucketDivergenceVjp(about: BucketCase, dy: Float64Array): Reference {
  const dx = zeros(about.x.length);
  const { form } = about;
  eachRow(about, ({ n, start, own, p, q, inside, sums: { pIn, pOut, qIn, qOut }, slack }) => {
    const side = Math.sign(qIn - pIn);
    q.forEach((share, v) => {
      const loose = slack + 8 + Math.abs(Math.log(share));
      const before = p[v]!;
      // exp of −∞ is exactly 0.
      const fromP = before === 0 ? 0 : before * (4 + Math.abs(own[v]!));
      const [value, size] = {
        bucket: inside(v)
          ? [(share / qIn) * (qIn - pIn), (share / qIn) * (qIn + pIn) * loose]
          : [share - p[v]!, share * loose + fromP],
        rest: inside(v) ? [0, 0] : [share / qOut - p[v]! / pOut, (share / qOut) * loose + (fromP + 8 * p[v]!) / pOut],
        mass: inside(v)
          ? [side * qOut * share, qOut * share * 2 * loose]
          : [-side * qIn * share, qIn * share * 2 * loose],
      }[form] as [number, number];
      addTerm(dx, start + v, dy[n]! * value, Math.abs(dy[n]!) * size);
    });
  });
  return dx;
}
