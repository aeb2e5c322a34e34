// Bringing matrices and biases of other conventions into limn's: transposed, with γ, β, a pre-bias or a mean folded in. Sums are float64.
import { LimnError } from '@limn/gpu';
import type { DictionaryConfig } from '../dictionary-config.js';
import type { DictionaryWeights } from '../dictionary.js';

/** Rows and columns of one block of a transposition: both sides of it stay in the cache. */
const BLOCK = 32;

/** The transpose [columns, rows] of a matrix [rows, columns]. */
export function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const result = new Float32Array(data.length);
  for (let r0 = 0; r0 < rows; r0 += BLOCK)
    for (let c0 = 0; c0 < columns; c0 += BLOCK) {
      const r1 = Math.min(r0 + BLOCK, rows);
      const c1 = Math.min(c0 + BLOCK, columns);
      for (let c = c0; c < c1; c++)
        for (let r = r0; r < r1; r++) result[c * rows + r] = data[r * columns + c] as number;
    }
  return result;
}

/** b + sign · v·Wᵀ for W [F, I]: the bias of an encoder whose input is shifted by v. */
function shiftedBias(wEnc: Float32Array, bEnc: Float32Array, v: Float32Array, sign: 1 | -1): Float32Array {
  const width = v.length;
  return bEnc.map((bias, f) => {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (v[i] as number) * (wEnc[f * width + i] as number);
    return bias + sign * sum;
  });
}

/** Of (x − b_pre)·W_encᵀ + b the bias b − b_pre·W_encᵀ [F], for which x·W_encᵀ + bias is the same. */
export function foldPreBias(wEnc: Float32Array, bEnc: Float32Array, preBias: Float32Array): Float32Array {
  return shiftedBias(wEnc, bEnc, preBias, -1);
}

/** `foldPreBias` undone. */
export function unfoldPreBias(wEnc: Float32Array, bEnc: Float32Array, preBias: Float32Array): Float32Array {
  return shiftedBias(wEnc, bEnc, preBias, 1);
}

/** LayerNorm's γ and β [I] in u = γ∘x̂ + β. */
export interface Gain {
  readonly gamma: Float32Array;
  readonly beta: Float32Array;
}

/**
 * Weights that read u of weights that read x̂ = (u − β)/γ: row by row W_enc/γ and b_enc − (β/γ)·W_encᵀ, and the same of the skip connection.
 * @throws LimnError `data/dictionary-gain` where a γ is 0 (u has lost what x̂ was), or has another width
 */
export function readWithGain(config: DictionaryConfig, weights: DictionaryWeights, gain: Gain): DictionaryWeights {
  checkGain(config, gain);
  const { gamma, beta } = gain;
  return throughInput(
    config,
    weights,
    (i) => 1 / (gamma[i] as number),
    (i) => -(beta[i] as number) / (gamma[i] as number),
  );
}

/**
 * Weights that read x̂ of weights that read u = γ∘x̂ + β.
 * @throws LimnError `data/dictionary-gain`
 */
export function readWithoutGain(config: DictionaryConfig, weights: DictionaryWeights, gain: Gain): DictionaryWeights {
  checkGain(config, gain);
  const { gamma, beta } = gain;
  return throughInput(
    config,
    weights,
    (i) => gamma[i] as number,
    (i) => beta[i] as number,
  );
}

/** Weights whose outputs have no mean over the width: what a model with centred weights is compared with. */
export function centredOutput(config: DictionaryConfig, weights: DictionaryWeights): DictionaryWeights {
  const { outputWidth } = config;
  const centre = (rows: Float32Array): Float32Array => lessRowMeans(rows, outputWidth);
  return {
    ...weights,
    wDec: centre(weights.wDec),
    bDec: centre(weights.bDec),
    ...(weights.wSkip ? { wSkip: centre(weights.wSkip) } : {}),
  };
}

/** Weights that take an input with or without its mean over the width alike: those of a dictionary that was trained on inputs without it. */
export function centredInput(config: DictionaryConfig, weights: DictionaryWeights): DictionaryWeights {
  return { ...weights, wEnc: lessRowMeans(weights.wEnc, config.inputWidth) };
}

/** Rows [N, width], each less its mean. */
export function lessRowMeans(rows: Float32Array, width: number): Float32Array {
  const result = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += width) {
    let sum = 0;
    for (let i = at; i < at + width; i++) sum += rows[i] as number;
    for (let i = at; i < at + width; i++) result[i] = (rows[i] as number) - sum / width;
  }
  return result;
}

/** The weights for inputs x' of which x = scale∘x' + shift is what they read now. */
function throughInput(
  { inputWidth: I, outputWidth: O }: DictionaryConfig,
  weights: DictionaryWeights,
  scale: (i: number) => number,
  shift: (i: number) => number,
): DictionaryWeights {
  const { wEnc, bEnc, bDec, wSkip } = weights;
  const moved = bEnc.map((bias, f) => {
    let sum = 0;
    for (let i = 0; i < I; i++) sum += shift(i) * (wEnc[f * I + i] as number);
    return bias + sum;
  });
  const scaled = { ...weights, wEnc: wEnc.map((w, at) => w * scale(at % I)), bEnc: moved };
  if (!wSkip) return scaled;
  const movedOut = bDec.map((bias, o) => {
    let sum = 0;
    for (let i = 0; i < I; i++) sum += shift(i) * (wSkip[i * O + o] as number);
    return bias + sum;
  });
  return { ...scaled, bDec: movedOut, wSkip: wSkip.map((w, at) => w * scale(Math.floor(at / O))) };
}

function checkGain({ inputWidth, layer }: DictionaryConfig, { gamma, beta }: Gain): void {
  const zero = gamma.findIndex((value) => value === 0 || !Number.isFinite(value));
  const problem =
    gamma.length !== inputWidth || beta.length !== inputWidth
      ? `has ${gamma.length} γ and ${beta.length} β; the dictionary reads ${inputWidth} numbers`
      : zero >= 0
        ? `has γ = ${gamma[zero]} at ${zero}, from which x̂ cannot be had back`
        : undefined;
  if (problem !== undefined)
    throw new LimnError('data/dictionary-gain', `The LayerNorm before the MLP of layer ${layer} ${problem}.`, {
      details: { layer, gamma: gamma.length, beta: beta.length, inputWidth },
      hint: "Give ln_2's weight and bias of the model that the dictionary is for.",
    });
}
