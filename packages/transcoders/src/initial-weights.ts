// The numbers a dictionary starts from: three published schemes, biases from the mean rows of the data.
import { LimnError } from '@limn/gpu';
import { fillNormal, fillUniform } from '@limn/tensor';
import { checkConfig, type DictionaryConfig } from './dictionary-config.js';
import type { DictionaryWeights } from './dictionary.js';
import { LOWEST_LOG_THRESHOLD } from './training-state.js';

/**
 * How the two matrices start; log θ starts at `threshold` and W_skip at 0 in all of them.
 * - `paper` (the code of arXiv 2406.11944): independent and uniform, W_enc within ±√(6 / F), W_dec with rows of length 1.
 * - `sparsify`: W_enc uniform within ±1/√I, W_dec 0: the dictionary starts as the mean of its targets.
 * - `tied`: rows of W_dec in random directions, .1 long, and W_enc equal to W_dec; takes I = O.
 */
export type InitialScheme = 'paper' | 'sparsify' | 'tied';

/** What `initialWeights` draws from. */
export interface InitialOptions {
  /** A whole number below 2⁵³. */
  readonly seed: number;
  /** Default 'paper'. */
  readonly scheme?: InitialScheme;
  /** Mean rows of the data: ȳ [O] becomes b_dec; x̄ [I], where it is given, is taken from the input, as b_enc = −x̄·W_encᵀ. Zeros without them. */
  readonly means?: { readonly x?: ArrayLike<number>; readonly y?: ArrayLike<number> };
  /** θ of `jump-relu` at the start. Default .01. */
  readonly threshold?: number;
}

/** Length of a decoder row of the scheme 'tied'. */
const TIED_NORM = 0.1;

/**
 * A dictionary's first weights: the same for the same seed on every machine.
 * @throws LimnError `usage/dictionary-config`; `usage/dictionary-initial` for means of another width, a threshold that is not positive, or
 * 'tied' with I ≠ O; `tensor/random` for the seed
 */
export function initialWeights(config: DictionaryConfig, options: InitialOptions): DictionaryWeights {
  const { features: F, inputWidth: I, outputWidth: O, activation, skip } = checkConfig(config);
  const { seed, scheme = 'paper', means = {}, threshold = 0.01 } = options;
  checkOptions(config, options);
  const uniform = (count: number, stream: number, bound: number): Float32Array =>
    fillUniform(new Float32Array(count), { seed, stream }).map((value) => (2 * value - 1) * bound);

  const matrices = {
    // A uniform draw whose rows are then made unit long, as the code has it: a bound would divide out.
    paper: () => ({ wEnc: uniform(F * I, 0, Math.sqrt(6 / F)), wDec: rowsOfLength(uniform(F * O, 1, 1), O, 1) }),
    sparsify: () => ({ wEnc: uniform(F * I, 0, 1 / Math.sqrt(I)), wDec: new Float32Array(F * O) }),
    tied: () => {
      const wDec = rowsOfLength(fillNormal(new Float32Array(F * O), { seed, stream: 1 }), O, TIED_NORM);
      return { wEnc: wDec.slice(), wDec };
    },
  }[scheme]();
  const { x, y } = means;
  return {
    ...matrices,
    bEnc: x ? foldedBias(matrices.wEnc, x) : new Float32Array(F),
    bDec: y ? Float32Array.from(y) : new Float32Array(O),
    ...(activation.kind === 'jump-relu' ? { logThreshold: new Float32Array(F).fill(Math.log(threshold)) } : {}),
    ...(activation.kind === 'batch-top-k' ? { logThreshold: new Float32Array(F).fill(LOWEST_LOG_THRESHOLD) } : {}),
    ...(skip ? { wSkip: new Float32Array(I * O) } : {}),
  };
}

/** The mean row of rows [N, width], summed in float64. */
export function meanRow(rows: Float32Array, width: number): Float32Array {
  const sums = new Float64Array(width);
  rows.forEach((value, at) => {
    sums[at % width] = (sums[at % width] as number) + value;
  });
  return Float32Array.from(sums, (sum) => (sum * width) / rows.length);
}

/** Every row divided by its length and times `length`, in float64. */
function rowsOfLength(rows: Float32Array, width: number, length: number): Float32Array {
  for (let at = 0; at < rows.length; at += width) {
    const row = rows.subarray(at, at + width);
    const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
    if (norm > 0) row.forEach((value, i) => (row[i] = (value / norm) * length));
  }
  return rows;
}

/** −x̄·W_encᵀ [F]. */
function foldedBias(wEnc: Float32Array, x: ArrayLike<number>): Float32Array {
  const width = x.length;
  return Float32Array.from({ length: wEnc.length / width }, (_, f) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (wEnc[f * width + i] as number) * (x[i] as number);
    return -sum;
  });
}

function checkOptions({ inputWidth, outputWidth }: DictionaryConfig, options: InitialOptions): void {
  const { scheme = 'paper', means = {}, threshold = 0.01 } = options;
  const wrong = (mean: ArrayLike<number> | undefined, width: number): boolean =>
    mean !== undefined && (mean.length !== width || !Array.from(mean).every(Number.isFinite));
  const problem = !['paper', 'sparsify', 'tied'].includes(scheme)
    ? `the scheme is '${String(scheme)}', not paper, sparsify or tied`
    : scheme === 'tied' && inputWidth !== outputWidth
      ? `tied takes matrices of one shape, but it reads ${inputWidth} numbers and writes ${outputWidth}`
      : wrong(means.x, inputWidth)
        ? `the mean of x is not ${inputWidth} finite numbers`
        : wrong(means.y, outputWidth)
          ? `the mean of y is not ${outputWidth} finite numbers`
          : !(Number.isFinite(threshold) && threshold > 0)
            ? `the threshold is ${threshold}, not a positive number`
            : undefined;
  if (problem !== undefined)
    throw new LimnError('usage/dictionary-initial', `A dictionary cannot start like this: ${problem}.`, {
      details: { scheme, threshold, inputWidth, outputWidth },
    });
}
