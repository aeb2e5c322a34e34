// Steering methods on rows of activations and the objectives at the logits, with their gradients, in float64.

/** Rows of one place: each with its position's row of the tables (−1: left alone) and its strength β. */
export interface SteeredRows {
  /** [R, W] */
  readonly h: Float64Array;
  readonly width: number;
  readonly slots: Int32Array;
  readonly strength: Float64Array;
}

/** h̃ = h (1 + β α(h)), α(h) = ⟨p, h⟩ / √(‖h‖² + tiny) + b, or ⟨p, h⟩ + b when raw. */
export interface DynamicCase extends SteeredRows {
  readonly probe: Float64Array;
  readonly bias: number;
  readonly raw: boolean;
  readonly tiny: number;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, value, i) => sum + value * b[i]!, 0);

function eachRow(
  { h, width, slots, strength }: SteeredRows,
  visit: (row: Float64Array, at: number, slot: number, beta: number, r: number) => void,
): void {
  slots.forEach((slot, r) => {
    visit(h.subarray(r * width, (r + 1) * width), r * width, slot, strength[r]!, r);
  });
}

/** ⟨p, h⟩ / n with n = √(‖h‖² + tiny), or n = 1 when raw. */
function probed({ probe, raw, tiny }: Pick<DynamicCase, 'probe' | 'raw' | 'tiny'>, row: Float64Array) {
  const norm = raw ? 1 : Math.sqrt(dot(row, row) + tiny);
  return { norm, q: dot(probe, row) / norm };
}

/** Steered rows. */
export function dynamicForward(about: DynamicCase): Float64Array {
  const y = about.h.slice();
  eachRow(about, (row, at, slot, beta) => {
    if (slot < 0) return;
    const { q } = probed(about, row);
    row.forEach((value, i) => (y[at + i] = value * (1 + beta * (q + about.bias))));
  });
  return y;
}

/** Gradients at h, p and b. With n = ‖h‖: (1 + β(q + b)) g + β⟨h, g⟩ (p / n − q h / n²); raw: without the last term. */
export function dynamicVjp(about: DynamicCase, dy: Float64Array) {
  const dh = dy.slice();
  const dp = new Float64Array(about.probe.length);
  let db = 0;
  eachRow(about, (row, at, slot, beta) => {
    if (slot < 0) return;
    const g = dy.subarray(at, at + about.width);
    const { norm, q } = probed(about, row);
    const along = beta * dot(row, g);
    db += along;
    row.forEach((value, i) => {
      dh[at + i] =
        (1 + beta * (q + about.bias)) * g[i]! +
        along * (about.probe[i]! / norm - (about.raw ? 0 : (q * value) / norm ** 2));
      dp[i]! += (along * value) / norm;
    });
  });
  return { h: dh, probe: dp, bias: db };
}

/** h̃ = h (1 + β α σ((⟨p, h⟩ / ‖h‖ − τ) / T)). */
export interface GatedCase extends SteeredRows {
  /** [P] */
  readonly alpha: Float64Array;
  readonly probe: Float64Array;
  readonly threshold: number;
  readonly temperature: number;
  readonly tiny: number;
}

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

/** Steered rows. */
export function gatedForward(about: GatedCase): Float64Array {
  const y = about.h.slice();
  eachRow(about, (row, at, slot, beta) => {
    if (slot < 0) return;
    const { q } = probed({ ...about, raw: false }, row);
    const gate = sigmoid((q - about.threshold) / about.temperature);
    row.forEach((value, i) => (y[at + i] = value * (1 + beta * about.alpha[slot]! * gate)));
  });
  return y;
}

/** Gradients at h, α, p and τ. */
export function gatedVjp(about: GatedCase, dy: Float64Array) {
  const dh = dy.slice();
  const dAlpha = new Float64Array(about.alpha.length);
  const dp = new Float64Array(about.probe.length);
  let dThreshold = 0;
  eachRow(about, (row, at, slot, beta) => {
    if (slot < 0) return;
    const g = dy.subarray(at, at + about.width);
    const { norm, q } = probed({ ...about, raw: false }, row);
    const gate = sigmoid((q - about.threshold) / about.temperature);
    const alpha = about.alpha[slot]!;
    const along = beta * dot(row, g);
    dAlpha[slot]! += along * gate;
    const slope = (along * alpha * gate * (1 - gate)) / about.temperature;
    dThreshold -= slope;
    row.forEach((value, i) => {
      dh[at + i] = (1 + beta * alpha * gate) * g[i]! + slope * (about.probe[i]! / norm - (q * value) / norm ** 2);
      dp[i]! += (slope * value) / norm;
    });
  });
  return { h: dh, alpha: dAlpha, probe: dp, threshold: dThreshold };
}

/** h̃ = h + β U diag(a) Uᵀ h. */
export interface SubspaceCase extends SteeredRows {
  /** [P, K] */
  readonly alpha: Float64Array;
  /** [W, K] */
  readonly basis: Float64Array;
  readonly rank: number;
}

const inBasis = ({ basis, rank }: SubspaceCase, row: Float64Array): Float64Array =>
  Float64Array.from({ length: rank }, (_, k) => row.reduce((sum, value, i) => sum + value * basis[i * rank + k]!, 0));

/** Steered rows. */
export function subspaceForward(about: SubspaceCase): Float64Array {
  const y = about.h.slice();
  eachRow(about, (row, at, slot, beta) => {
    if (slot < 0) return;
    inBasis(about, row).forEach((along, k) => {
      const change = beta * about.alpha[slot * about.rank + k]! * along;
      row.forEach((_, i) => (y[at + i]! += change * about.basis[i * about.rank + k]!));
    });
  });
  return y;
}

/** Gradients at h and a: ∂a_k = Σ β (u_kᵀh)(u_kᵀg). */
export function subspaceVjp(about: SubspaceCase, dy: Float64Array) {
  const dAlpha = new Float64Array(about.alpha.length);
  eachRow(about, (row, at, slot, beta) => {
    if (slot < 0) return;
    const g = inBasis(about, dy.subarray(at, at + about.width));
    inBasis(about, row).forEach((along, k) => (dAlpha[slot * about.rank + k]! += beta * along * g[k]!));
  });
  return { h: subspaceForward({ ...about, h: dy }), alpha: dAlpha };
}

/** E of rows of logits: what is wanted of Δ = z_c − z_w. */
export interface EffectCase {
  /** [N, V] */
  readonly x: Float64Array;
  readonly width: number;
  /** [N, 2] */
  readonly ids: Uint32Array;
  readonly strength: Float64Array;
  readonly goal:
    | { readonly kind: 'flip'; readonly margin: number; readonly effect: 'hinge' | 'softplus' | 'linear' }
    | {
        readonly kind: 'parity';
        readonly tolerance: number;
        readonly retentionShare: number;
        readonly retentionWeight: number;
        /** Δ of the untouched model per row, NaN for a row that is not retained. */
        readonly kept: Float64Array;
      };
}

function effectOf({ goal }: EffectCase, delta: number, beta: number, n: number): { value: number; slope: number } {
  if (goal.kind === 'flip') {
    const short = goal.margin - beta * delta;
    if (goal.effect === 'linear') return { value: -beta * delta, slope: -beta };
    if (goal.effect === 'hinge') return { value: Math.max(0, short), slope: short > 0 ? -beta : 0 };
    return { value: Math.max(0, short) + Math.log1p(Math.exp(-Math.abs(short))), slope: -beta * sigmoid(short) };
  }
  const before = goal.kept[n]!;
  const retained = !Number.isNaN(before);
  const apart = delta - (retained ? before : 0);
  const slack = retained ? goal.retentionShare * Math.abs(before) : goal.tolerance;
  const excess = Math.max(0, Math.abs(apart) - slack);
  const weight = retained ? goal.retentionWeight : 1;
  return { value: weight * excess ** 2, slope: weight * 2 * excess * Math.sign(apart) };
}

/** Σ E over rows. */
export function effectForward(about: EffectCase): number {
  return about.strength.reduce((sum, beta, n) => {
    const [c, w] = [about.ids[2 * n]!, about.ids[2 * n + 1]!];
    return sum + effectOf(about, about.x[n * about.width + c]! - about.x[n * about.width + w]!, beta, n).value;
  }, 0);
}

/** Its gradient at the logits: of each row the two answers only, with opposite signs. */
export function effectVjp(about: EffectCase): Float64Array {
  const dx = new Float64Array(about.x.length);
  about.strength.forEach((beta, n) => {
    const [c, w] = [n * about.width + about.ids[2 * n]!, n * about.width + about.ids[2 * n + 1]!];
    const { slope } = effectOf(about, about.x[c]! - about.x[w]!, beta, n);
    dx[c]! += slope;
    dx[w]! -= slope;
  });
  return dx;
}
