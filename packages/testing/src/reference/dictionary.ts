// A dictionary of an MLP in float64: h = x·W_encᵀ + b_enc, a = φ(h), ŷ = a·W_dec + b_dec (+ x·W_skip), every loss, and all gradients by hand.

/** Parameters by name; a row of wEnc and of wDec is a feature. */
export interface DictionaryParameters {
  /** [F, I] */
  readonly wEnc: Float64Array;
  /** [F] */
  readonly bEnc: Float64Array;
  /** [F, O] */
  readonly wDec: Float64Array;
  /** [O] */
  readonly bDec: Float64Array;
  /** [F] */
  readonly logThreshold?: Float64Array;
  /** [I, O] */
  readonly wSkip?: Float64Array;
}

/** A batch, an activation and a loss; the words are those of @limn/transcoders. */
export interface DictionaryCase {
  readonly rows: number;
  readonly features: number;
  /** [N, I] */
  readonly x: Float64Array;
  /** [N, O] */
  readonly y: Float64Array;
  readonly activation:
    | { readonly kind: 'relu' }
    | { readonly kind: 'top-k' | 'batch-top-k'; readonly k: number }
    | { readonly kind: 'jump-relu'; readonly bandwidth: number };
  readonly loss: {
    readonly reconstruction: 'paper' | 'sum' | 'fvu';
    readonly sparsity?: {
      readonly kind: 'l1' | 'l1-decoder' | 'l0' | 'tanh';
      readonly weight: number;
      readonly steepness?: number;
    };
    readonly auxiliary?: { readonly features: number; readonly weight: number };
    readonly preActivation?: { readonly weight: number };
  };
  /** [F], 1 for dead features. */
  readonly dead: Float64Array;
  /** The residual y − ŷ [N, O] that AuxK takes as given; by default that of these parameters. Finite differences must hold it still. */
  readonly residual?: Float64Array;
}

/** A loss with its parts (without weights), what it was made of, and its gradients. */
export interface DictionaryResult {
  readonly loss: number;
  readonly parts: Readonly<Record<'reconstruction' | 'sparsity' | 'auxiliary' | 'preActivation', number>>;
  readonly h: Float64Array;
  readonly a: Float64Array;
  readonly yHat: Float64Array;
  readonly residual: Float64Array;
  /** Σ‖e‖² / Σ‖y − ȳ‖² */
  readonly fvu: number;
  readonly gradients: Required<DictionaryParameters>;
}

/** a[n, i] · b[n, j] summed over n, into [I, J]. */
export function outer(a: Float64Array, b: Float64Array, rows: number): Float64Array {
  const [I, J] = [a.length / rows, b.length / rows];
  const c = new Float64Array(I * J);
  for (let n = 0; n < rows; n++)
    for (let i = 0; i < I; i++) for (let j = 0; j < J; j++) c[i * J + j]! += a[n * I + i]! * b[n * J + j]!;
  return c;
}

/** a [N, K] · b [K, J] + bias [J]. */
export function product(a: Float64Array, b: Float64Array, rows: number, bias?: Float64Array): Float64Array {
  const K = a.length / rows;
  const J = b.length / K;
  const c = new Float64Array(rows * J);
  for (let n = 0; n < rows; n++)
    for (let j = 0; j < J; j++) {
      let sum = bias ? bias[j]! : 0;
      for (let k = 0; k < K; k++) sum += a[n * K + k]! * b[k * J + j]!;
      c[n * J + j] = sum;
    }
  return c;
}

/** The transpose of a [rows, columns]. */
export function transposed(a: Float64Array, rows: number): Float64Array {
  const columns = a.length / rows;
  return a.map((_, at) => a[(at % rows) * columns + Math.floor(at / rows)]!);
}

/** 1 where an element is among the `count` largest positive ones of its group, 0 elsewhere; equal ones by the lower index. */
export function largest(
  h: Float64Array,
  groups: number,
  count: number,
  allowed: (at: number) => boolean,
): Float64Array {
  const size = h.length / groups;
  const kept = new Float64Array(h.length);
  for (let g = 0; g < groups; g++)
    Array.from({ length: size }, (_, i) => g * size + i)
      .filter((at) => h[at]! > 0 && allowed(at))
      .sort((p, q) => h[q]! - h[p]! || p - q)
      .slice(0, count)
      .forEach((at) => (kept[at] = 1));
  return kept;
}

/** 1 where a feature fires; a = h · mask. */
export function firingMask(
  { activation, rows, features }: Pick<DictionaryCase, 'activation' | 'rows' | 'features'>,
  h: Float64Array,
  logThreshold?: Float64Array,
): Float64Array {
  switch (activation.kind) {
    case 'relu':
      return h.map((value) => (value > 0 ? 1 : 0));
    case 'jump-relu':
      return h.map((value, at) => (value > Math.exp(logThreshold![at % features]!) ? 1 : 0));
    case 'top-k':
      return largest(h, rows, activation.k, () => true);
    case 'batch-top-k':
      return largest(h, 1, activation.k * rows, () => true);
  }
}

/** Σ‖y − ȳ‖². */
export function totalVariance(y: Float64Array, rows: number): number {
  const O = y.length / rows;
  const mean = Float64Array.from({ length: O }, (_, o) => {
    let sum = 0;
    for (let n = 0; n < rows; n++) sum += y[n * O + o]!;
    return sum / rows;
  });
  return y.reduce((sum, value, at) => sum + (value - mean[at % O]!) ** 2, 0);
}

/** Loss and gradients; log θ gets the straight-through terms of the activation and of L0, and the smooth one of the pre-activation loss. */
export function dictionaryLoss(about: DictionaryCase, p: DictionaryParameters): DictionaryResult {
  const { rows: N, features: F, x, y, loss, dead, activation } = about;
  const O = y.length / N;
  const h = product(x, transposed(p.wEnc, F), N, p.bEnc);
  const mask = firingMask(about, h, p.logThreshold);
  const a = h.map((value, at) => value * mask[at]!);
  const decoded = product(a, p.wDec, N, p.bDec);
  const skipped = p.wSkip && product(x, p.wSkip, N);
  const yHat = skipped ? decoded.map((value, at) => value + skipped[at]!) : decoded;
  const e = yHat.map((value, at) => value - y[at]!);
  const residual = e.map((value) => -value);
  const rowNorm = (n: number): number => Math.hypot(...y.subarray(n * O, (n + 1) * O));
  const variance = totalVariance(y, N);
  const weight = Float64Array.from({ length: N }, (_, n) =>
    loss.reconstruction === 'sum' ? 1 / N : loss.reconstruction === 'fvu' ? 1 / variance : 1 / (N * O * rowNorm(n)),
  );
  const reconstruction = e.reduce((sum, value, at) => sum + weight[Math.floor(at / O)]! * value ** 2, 0);
  const dyHat = e.map((value, at) => 2 * weight[Math.floor(at / O)]! * value);

  const norms = Float64Array.from({ length: F }, (_, f) => Math.hypot(...p.wDec.subarray(f * O, (f + 1) * O)));
  const theta = Float64Array.from({ length: F }, (_, f) => (p.logThreshold ? Math.exp(p.logThreshold[f]!) : 0));
  const near = (at: number): boolean =>
    activation.kind === 'jump-relu' && Math.abs(h[at]! - theta[at % F]!) < activation.bandwidth / 2;
  const da = product(dyHat, transposed(p.wDec, F), N);
  const dNorms = new Float64Array(F);
  const dTheta = new Float64Array(F);
  const dh = new Float64Array(N * F);

  let sparsity = 0;
  const { kind, weight: lambda = 0, steepness: c = 0 } = loss.sparsity ?? {};
  const share = lambda / N;
  if (kind)
    a.forEach((value, at) => {
      const f = at % F;
      if (kind === 'l1') {
        sparsity += value / N;
        da[at]! += share;
      } else if (kind === 'l1-decoder') {
        sparsity += (value * norms[f]!) / N;
        da[at]! += share * norms[f]!;
        dNorms[f]! += share * value;
      } else if (kind === 'tanh') {
        const t = Math.tanh(c * norms[f]! * value);
        sparsity += t / N;
        da[at]! += share * (1 - t * t) * c * norms[f]!;
        dNorms[f]! += share * (1 - t * t) * c * value;
      } else {
        sparsity += mask[at]! / N;
        if (near(at) && activation.kind === 'jump-relu') dTheta[f]! -= share / activation.bandwidth;
      }
    });

  let preActivation = 0;
  if (loss.preActivation)
    h.forEach((value, at) => {
      const f = at % F;
      const short = Math.max(0, theta[f]! - value) * dead[f]!;
      preActivation += (short * norms[f]!) / N;
      const slope = short > 0 ? loss.preActivation!.weight / N : 0;
      dh[at]! -= slope * norms[f]!;
      dTheta[f]! += slope * norms[f]!;
      dNorms[f]! += slope * short;
    });

  da.forEach((slope, at) => {
    dh[at]! += slope * mask[at]!;
    if (near(at) && activation.kind === 'jump-relu') dTheta[at % F]! -= (theta[at % F]! / activation.bandwidth) * slope;
  });
  const dwDec = outer(a, dyHat, N);

  let auxiliary = 0;
  const deadCount = dead.reduce((sum, value) => sum + value, 0);
  if (loss.auxiliary && deadCount > 0) {
    const { features: most, weight: alpha } = loss.auxiliary;
    const target = about.residual ?? residual;
    const kept = largest(h, N, most, (at) => dead[at % F]! > 0);
    const aux = h.map((value, at) => value * kept[at]!);
    const scale = Math.min(deadCount / most, 1) / variance;
    const off = product(aux, p.wDec, N).map((value, at) => value - target[at]!);
    auxiliary = off.reduce((sum, value) => sum + scale * value ** 2, 0);
    const dOff = off.map((value) => 2 * alpha * scale * value);
    product(dOff, transposed(p.wDec, F), N).forEach((slope, at) => (dh[at]! += slope * kept[at]!));
    outer(aux, dOff, N).forEach((slope, at) => (dwDec[at]! += slope));
  }

  dwDec.forEach((_, at) => {
    const f = Math.floor(at / O);
    if (dNorms[f] !== 0) dwDec[at]! += (dNorms[f]! * p.wDec[at]!) / norms[f]!;
  });
  const sumRows = (of: Float64Array): Float64Array => outer(new Float64Array(N).fill(1), of, N);
  return {
    loss:
      reconstruction +
      lambda * sparsity +
      (loss.auxiliary?.weight ?? 0) * auxiliary +
      (loss.preActivation?.weight ?? 0) * preActivation,
    parts: { reconstruction, sparsity, auxiliary, preActivation },
    h,
    a,
    yHat,
    residual,
    fvu: e.reduce((sum, value) => sum + value ** 2, 0) / variance,
    gradients: {
      wEnc: outer(dh, x, N),
      bEnc: sumRows(dh),
      wDec: dwDec,
      bDec: sumRows(dyHat),
      logThreshold: dTheta.map((slope, f) => slope * theta[f]!),
      wSkip: outer(x, dyHat, N),
    },
  };
}
