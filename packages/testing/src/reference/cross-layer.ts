// A cross-layer transcoder in float64: a_i = φ(x_i·W_enc,iᵀ + b_i), ŷ_l = Σ_{i ≤ l} a_i·W_dec,i→l + b_dec,l, every loss, and all gradients by hand.
import { firingMask, largest, outer, product, totalVariance, transposed, type DictionaryCase } from './dictionary.js';

/** Parameters by layer; a row of wEnc and of each wDec is a feature. */
export interface CrossLayerParameters {
  /** [L] of [F, d] */
  readonly wEnc: readonly Float64Array[];
  /** [L] of [F] */
  readonly bEnc: readonly Float64Array[];
  /** [L] of [L − i] of [F, d]: of features of layer i for layers i, i + 1, … */
  readonly wDec: readonly (readonly Float64Array[])[];
  /** [L] of [d] */
  readonly bDec: readonly Float64Array[];
  /** [L] of [F] */
  readonly logThreshold?: readonly Float64Array[];
}

/** A batch, an activation and a loss; x, y, dead and the residual that AuxK takes as given are those of each layer. */
export interface CrossLayerCase extends Pick<DictionaryCase, 'rows' | 'features' | 'activation' | 'loss'> {
  readonly x: readonly Float64Array[];
  readonly y: readonly Float64Array[];
  readonly dead: readonly Float64Array[];
  readonly residual?: readonly Float64Array[];
}

/** A loss with its parts (without weights), what it was made of, and its gradients. */
export interface CrossLayerResult {
  readonly loss: number;
  readonly parts: Readonly<Record<'reconstruction' | 'sparsity' | 'auxiliary' | 'preActivation', number>>;
  readonly a: readonly Float64Array[];
  readonly yHat: readonly Float64Array[];
  readonly residual: readonly Float64Array[];
  /** Σ‖e‖² / Σ‖y − ȳ‖² of each layer. */
  readonly fvu: readonly number[];
  readonly gradients: Required<CrossLayerParameters>;
}

const addTo = (into: Float64Array, values: Float64Array, factor = 1): void =>
  values.forEach((value, at) => (into[at]! += factor * value));

/** Loss and gradients; log θ gets the straight-through terms of the activation and of L0, and the smooth one of the pre-activation loss. */
export function crossLayerLoss(about: CrossLayerCase, p: CrossLayerParameters): CrossLayerResult {
  const { rows: N, features: F, x, y, loss, dead, activation } = about;
  const layers = [...x.keys()];
  const L = layers.length;
  const d = y[0]!.length / N;
  const bandwidth = activation.kind === 'jump-relu' ? activation.bandwidth : Infinity;
  const h = layers.map((i) => product(x[i]!, transposed(p.wEnc[i]!, F), N, p.bEnc[i]));
  const mask = layers.map((i) => firingMask(about, h[i]!, p.logThreshold?.[i]));
  const a = layers.map((i) => h[i]!.map((value, at) => value * mask[i]![at]!));
  const theta = layers.map((i) =>
    Float64Array.from({ length: F }, (_, f) => (p.logThreshold ? Math.exp(p.logThreshold[i]![f]!) : 0)),
  );
  const near = (i: number, at: number): boolean =>
    activation.kind === 'jump-relu' && Math.abs(h[i]![at]! - theta[i]![at % F]!) < bandwidth / 2;
  /** ‖d_i‖ over everything that a feature of a layer writes. */
  const norms = layers.map((i) =>
    Float64Array.from({ length: F }, (_, f) =>
      Math.hypot(...p.wDec[i]!.flatMap((w) => Array.from(w.subarray(f * d, (f + 1) * d)))),
    ),
  );
  const zeros = (like: readonly Float64Array[]): Float64Array[] => like.map((each) => new Float64Array(each.length));
  const [dh, da] = [zeros(h), zeros(a)] as const;
  const [dTheta, dNorms] = [zeros(theta), zeros(norms)] as const;
  const dwDec = p.wDec.map(zeros);
  const dbDec: Float64Array[] = [];
  const yHat: Float64Array[] = [];
  const residual: Float64Array[] = [];
  const fvu: number[] = [];
  let reconstruction = 0;
  const ones = new Float64Array(N).fill(1);
  for (const l of layers) {
    const rebuilt = new Float64Array(N * d).map((_, at) => p.bDec[l]![at % d]!);
    for (let i = 0; i <= l; i++) addTo(rebuilt, product(a[i]!, p.wDec[i]![l - i]!, N));
    const e = rebuilt.map((value, at) => value - y[l]![at]!);
    const variance = totalVariance(y[l]!, N);
    const weight = (at: number): number => {
      const n = Math.floor(at / d);
      if (loss.reconstruction === 'sum') return 1 / N;
      return loss.reconstruction === 'fvu'
        ? 1 / variance
        : 1 / (N * d * Math.hypot(...y[l]!.subarray(n * d, (n + 1) * d)));
    };
    e.forEach((value, at) => (reconstruction += weight(at) * value ** 2));
    const slope = e.map((value, at) => 2 * weight(at) * value);
    for (let i = 0; i <= l; i++) {
      addTo(da[i]!, product(slope, transposed(p.wDec[i]![l - i]!, F), N));
      addTo(dwDec[i]![l - i]!, outer(a[i]!, slope, N));
    }
    dbDec.push(outer(ones, slope, N));
    yHat.push(rebuilt);
    residual.push(e.map((value) => -value));
    fvu.push(e.reduce((sum, value) => sum + value ** 2, 0) / variance);
  }

  const { kind, weight: lambda = 0, steepness: c = 0 } = loss.sparsity ?? {};
  const share = lambda / N;
  let sparsity = 0;
  let preActivation = 0;
  for (const i of layers) {
    if (kind)
      a[i]!.forEach((value, at) => {
        const f = at % F;
        const norm = norms[i]![f]!;
        if (kind === 'l0') {
          sparsity += mask[i]![at]! / N;
          if (near(i, at)) dTheta[i]![f]! -= share / bandwidth;
          return;
        }
        const t = Math.tanh(c * norm * value);
        // The term, and its slopes by a and by the norm.
        const [term, byA, byNorm] = {
          l1: [value, 1, 0],
          'l1-decoder': [value * norm, norm, value],
          tanh: [t, (1 - t * t) * c * norm, (1 - t * t) * c * value],
        }[kind] as [number, number, number];
        sparsity += term / N;
        da[i]![at]! += share * byA;
        dNorms[i]![f]! += share * byNorm;
      });
    if (loss.preActivation)
      h[i]!.forEach((value, at) => {
        const f = at % F;
        const short = Math.max(0, theta[i]![f]! - value) * dead[i]![f]!;
        preActivation += (short * norms[i]![f]!) / N;
        const slope = short > 0 ? loss.preActivation!.weight / N : 0;
        dh[i]![at]! -= slope * norms[i]![f]!;
        dTheta[i]![f]! += slope * norms[i]![f]!;
        dNorms[i]![f]! += slope * short;
      });
    da[i]!.forEach((slope, at) => {
      dh[i]![at]! += slope * mask[i]![at]!;
      if (near(i, at)) dTheta[i]![at % F]! -= (theta[i]![at % F]! / bandwidth) * slope;
    });
  }

  let auxiliary = 0;
  const deadCount = dead.flatMap((each) => Array.from(each)).reduce((sum, value) => sum + value, 0);
  if (loss.auxiliary && deadCount > 0) {
    const { features: most, weight: alpha } = loss.auxiliary;
    const filled = Math.min(deadCount / (most * L), 1);
    const kept = layers.map((i) => largest(h[i]!, N, most, (at) => dead[i]![at % F]! > 0));
    const aux = layers.map((i) => h[i]!.map((value, at) => value * kept[i]![at]!));
    for (const l of layers) {
      const target = about.residual?.[l] ?? residual[l]!;
      const scale = filled / totalVariance(y[l]!, N);
      const off = target.map((value) => -value);
      for (let i = 0; i <= l; i++) addTo(off, product(aux[i]!, p.wDec[i]![l - i]!, N));
      off.forEach((value) => (auxiliary += scale * value ** 2));
      const slope = off.map((value) => 2 * alpha * scale * value);
      for (let i = 0; i <= l; i++) {
        product(slope, transposed(p.wDec[i]![l - i]!, F), N).forEach(
          (each, at) => (dh[i]![at]! += each * kept[i]![at]!),
        );
        addTo(dwDec[i]![l - i]!, outer(aux[i]!, slope, N));
      }
    }
  }

  for (const i of layers)
    for (const [to, slopes] of dwDec[i]!.entries())
      slopes.forEach((_, at) => {
        const f = Math.floor(at / d);
        if (dNorms[i]![f] !== 0) slopes[at]! += (dNorms[i]![f]! * p.wDec[i]![to]![at]!) / norms[i]![f]!;
      });
  return {
    loss:
      reconstruction +
      lambda * sparsity +
      (loss.auxiliary?.weight ?? 0) * auxiliary +
      (loss.preActivation?.weight ?? 0) * preActivation,
    parts: { reconstruction, sparsity, auxiliary, preActivation },
    a,
    yHat,
    residual,
    fvu,
    gradients: {
      wEnc: layers.map((i) => outer(dh[i]!, x[i]!, N)),
      bEnc: layers.map((i) => outer(ones, dh[i]!, N)),
      wDec: dwDec,
      bDec: dbDec,
      logThreshold: layers.map((i) => dTheta[i]!.map((slope, f) => slope * theta[i]![f]!)),
    },
  };
}
