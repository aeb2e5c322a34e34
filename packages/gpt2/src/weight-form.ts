// What a model's weights are on the GPU: as in the file, processed, in f16; and what only weights as in the file can do.
import { LimnError } from '@limn/gpu';
import { packF16, unpackF16 } from '@limn/tensor';
import { processingNames, staysTied, type WeightProcessing } from './process-weights.js';
import { isBlockedWeight, isLinearWeight, type HostTensor } from './weight-names.js';

/** How weights are to lie on the GPU. */
export interface WeightForm {
  /** Default: nothing is done to them. */
  readonly processing?: WeightProcessing;
  /**
   * Storage of the matrices that products and the token embedding read; sums are in f32 with either. f16 halves the bytes: values are
   * rounded to nearest even, and one that f16 cannot hold is an error. Biases, LayerNorm and positions stay f32. Default f32.
   */
  readonly weights?: 'f32' | 'f16';
}

/**
 * The form in words, as in `info.processing`: 'none', or what was done, joined by commas.
 * @throws LimnError `weights/bad-processing`, `weights/bad-storage` for what is neither f32 nor f16.
 */
export function describeForm({ processing = {}, weights = 'f32' }: WeightForm): string {
  if (weights !== 'f32' && weights !== 'f16') {
    throw new LimnError('weights/bad-storage', `weights is ${JSON.stringify(weights)}; allowed: 'f32', 'f16'`, {
      details: { given: weights, allowed: ['f32', 'f16'] },
      hint: 'BF16 and other files are read with either.',
    });
  }
  return [...processingNames(processing), ...(weights === 'f16' ? ['f16'] : [])].join(', ') || 'none';
}

/** How a weight is stored. */
export function storageOf(name: string, { weights = 'f32' }: WeightForm): 'f32' | 'f16' {
  return isBlockedWeight(name) || isLinearWeight(name) ? weights : 'f32';
}

/** Bytes of `count` values on the GPU. */
export function storedBytes(name: string, count: number, form: WeightForm): number {
  return storageOf(name, form) === 'f16' ? 4 * Math.ceil(count / 2) : 4 * count;
}

/** Weights that a form adds to those of the file, with their shapes: an unembedding of its own, and its bias. */
export function addedWeights(
  { vocabulary: V, width: C }: { readonly vocabulary: number; readonly width: number },
  tied: boolean,
  { processing = {} }: WeightForm,
): ReadonlyMap<string, readonly number[]> {
  const added = new Map<string, readonly number[]>();
  if (tied && !staysTied(tied, processing)) added.set('lm_head.weight', [V, C]);
  if (processing.foldLayerNorm) added.set('lm_head.bias', [V]);
  return added;
}

/** Values that are rounded at once. */
const PIECE = 2 ** 20;

/**
 * Rounds the values of a weight to f16, in place.
 * @throws LimnError `weights/f16-overflow` naming tensor and index of the first value that f16 cannot hold.
 */
export function roundToF16(name: string, { shape, data }: HostTensor): void {
  for (let start = 0; start < data.length; start += PIECE) {
    const piece = data.subarray(start, start + PIECE);
    const words = packF16(piece);
    for (const word of words) if (holdsInfinity(word)) throw overflow(name, shape, data, start);
    piece.set(unpackF16(words, piece.length));
  }
}

/** Whether one of the two f16 of a word has the exponent of infinity and NaN. */
function holdsInfinity(word: number): boolean {
  return (word & 0x7c00) === 0x7c00 || (word & 0x7c000000) === 0x7c000000;
}

/** The error for the first value at or behind `start` that rounds to infinity. */
function overflow(name: string, shape: readonly number[], data: Float32Array, start: number): LimnError {
  const at = start + data.subarray(start).findIndex((value) => !(Math.abs(value) < 65520));
  const row = shape[1] as number;
  const index = [Math.floor(at / row), at % row];
  return new LimnError('weights/f16-overflow', `${name}[${index.join(', ')}] is ${data[at]}; f16 ends at 65504`, {
    details: { name, index, value: data[at] },
    hint: "Load this model with weights: 'f32'.",
  });
}

/**
 * Refuses what takes weights as they are in a file.
 * @throws LimnError `weights/processed`, `weights/f16`
 */
export function expectRaw(processing: string, what: string, allow: 'f16' | 'none'): void {
  const done = processing.split(', ');
  if (done.some((name) => name !== 'none' && name !== 'f16')) {
    throw new LimnError('weights/processed', `a model with processed weights (${processing}) cannot be ${what}`, {
      details: { processing },
      hint: 'Do it with the raw model and process its weights afterwards, when they are loaded.',
    });
  }
  if (allow === 'none' && done.includes('f16')) {
    throw new LimnError('weights/f16', `a model with f16 weights cannot be ${what}`, {
      details: { processing },
      hint: "Load it with weights: 'f32'. Gradients at activations are available with both.",
    });
  }
}
