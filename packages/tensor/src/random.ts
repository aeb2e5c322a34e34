// Counter-based random numbers (Philox 4×32-10, Salmon et al. 2011): number `index` of a (seed, stream), equal bits on CPU and GPU.
import * as shaders from '@limn/shaders';
import { defineKernel, LimnError, type Step } from '@limn/gpu';
import { perElement } from './grid.js';
import { countOf } from './shape.js';
import { allocate, type Tensor } from './tensor.js';

/** One unit of the whole-number normal below has this standard deviation's inverse: z = units / (65536 · 4.929368). */
const UNITS_PER_DEVIATION = 65536 * 4.929368;

/** Which numbers to take. */
export interface RandomSource {
  /** A whole number below 2⁵³. */
  readonly seed: number;
  /** A u32; streams of one seed are independent. 0 by default. */
  readonly stream?: number;
  /** First index; 0 by default. Indices go up to 2³² − 1. */
  readonly start?: number;
}

/** High 32 bits of a · b. */
function multiplyHigh(a: number, b: number): number {
  const a0 = a & 0xffff;
  const a1 = a >>> 16;
  const b0 = b & 0xffff;
  const b1 = b >>> 16;
  const cross = Math.imul(a1, b0) + (Math.imul(a0, b0) >>> 16);
  const crossLow = cross >>> 0;
  const other = (Math.imul(a0, b1) >>> 0) + (crossLow & 0xffff);
  return (Math.imul(a1, b1) + (crossLow >>> 16) + (other >>> 16)) >>> 0;
}

/** Philox 4×32-10: four words from a 64-bit key and a 128-bit counter. */
export function philox(
  key: readonly [number, number],
  counter: readonly [number, number, number, number],
): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round += 1) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0);
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0];
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** Low and high word of a seed. Throws 'tensor/random' for what is not a whole number below 2⁵³. */
export function keyOf(seed: number): [number, number] {
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new LimnError('tensor/random', `seed ${seed} is not a whole number from 0 to 2⁵³ − 1. Give one.`, {
      details: { seed },
    });
  return [seed >>> 0, Math.floor(seed / 2 ** 32)];
}

function checkRange(stream: number, start: number, count: number): void {
  const sound =
    Number.isInteger(stream) &&
    stream >= 0 &&
    stream < 2 ** 32 &&
    Number.isInteger(start) &&
    start >= 0 &&
    start + count <= 2 ** 32;
  if (!sound)
    throw new LimnError(
      'tensor/random',
      `stream ${stream} and indices [${start}, ${start + count}) must be whole numbers within u32. Use another stream for more numbers.`,
      { details: { stream, start, count } },
    );
}

/**
 * Word `index` of a stream, 0 to 2³² − 1.
 * @throws LimnError `tensor/random`
 */
export function randomU32(seed: number, stream: number, index: number): number {
  checkRange(stream, index, 1);
  return philox(keyOf(seed), [index >>> 2, 0, stream, 0])[index & 3] as number;
}

/**
 * The upper 24 bits of word `index`, times 2⁻²⁴: uniform on [0, 1), exact in f32.
 * @throws LimnError `tensor/random`
 */
export function randomUniform(seed: number, stream: number, index: number): number {
  return (randomU32(seed, stream, index) >>> 8) * 2 ** -24;
}

/** How many of the 32 bits are 1. */
function ones(word: number): number {
  let bits = word - ((word >>> 1) & 0x55555555);
  bits = (bits & 0x33333333) + ((bits >>> 2) & 0x33333333);
  return Math.imul((bits + (bits >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

/**
 * Normal `index` of a stream in whole units, from block `index` of the generator: the number of ones among 96 bits, made
 * continuous by a triangular fraction from the other 32, with the cubic Cornish–Fisher term that removes its kurtosis.
 * Only integers, so that every machine agrees. |F − Φ| < 2·10⁻⁴; tail masses are within 1.1 % up to 5 σ; |z| < 11.
 */
function normalUnits(key: readonly [number, number], stream: number, index: number): number {
  const [w0, w1, w2, w3] = philox(key, [index, 0, stream, 0]);
  const x = (ones(w0) + ones(w1) + ones(w2) - 48) * 65536 + ((w3 & 0xffff) + (w3 >>> 16) - 65535);
  const y = x >> 8;
  return x + Math.trunc((((y * y) >> 12) * y) / 1650);
}

/**
 * Normal number `index` of a stream with mean 0. Normals and words of the same stream come from the same bits: draw them
 * from different streams when both are needed.
 * @throws LimnError `tensor/random`
 */
export function randomNormal(seed: number, stream: number, index: number, deviation = 1): number {
  checkRange(stream, index, 1);
  return Math.fround(normalUnits(keyOf(seed), stream, index) * Math.fround(deviation / UNITS_PER_DEVIATION));
}

/**
 * Fills an array with uniforms on [0, 1) and returns it.
 * @throws LimnError `tensor/random`
 */
export function fillUniform(values: Float32Array, { seed, stream = 0, start = 0 }: RandomSource): Float32Array {
  checkRange(stream, start, values.length);
  const key = keyOf(seed);
  let words: readonly number[] = [];
  for (let i = 0; i < values.length; i += 1) {
    const index = start + i;
    if (i === 0 || (index & 3) === 0) words = philox(key, [index >>> 2, 0, stream, 0]);
    values[i] = ((words[index & 3] as number) >>> 8) * 2 ** -24;
  }
  return values;
}

/**
 * Fills an array with normals of mean 0 and returns it.
 * @throws LimnError `tensor/random`
 */
export function fillNormal(
  values: Float32Array,
  { seed, stream = 0, start = 0 }: RandomSource,
  deviation = 1,
): Float32Array {
  checkRange(stream, start, values.length);
  const key = keyOf(seed);
  const unit = Math.fround(deviation / UNITS_PER_DEVIATION);
  for (let i = 0; i < values.length; i += 1) values[i] = normalUnits(key, stream, start + i) * unit;
  return values;
}

/**
 * 0 … count − 1 in an order that depends on seed and stream alone (Fisher–Yates; bias below count · 2⁻³²).
 * @throws LimnError `tensor/random`
 */
export function permutation(count: number, { seed, stream = 0 }: RandomSource): Uint32Array {
  checkRange(stream, 0, count);
  const key = keyOf(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i -= 1) {
    const word = philox(key, [i >>> 2, 0, stream, 0])[i & 3] as number;
    const j = multiplyHigh(word, i + 1);
    [order[i], order[j]] = [order[j] as number, order[i] as number];
  }
  return order;
}

const wordKernel = defineKernel(shaders.randomU32, { grid: perElement, work: (u) => 100 * u.size });
const uniformKernel = defineKernel(shaders.randomUniform, { grid: perElement, work: (u) => 100 * u.size });
const normalKernel = defineKernel(shaders.randomNormal, { grid: perElement, work: (u) => 120 * u.size });

function sourceUniforms(shape: readonly number[], { seed, stream = 0, start = 0 }: RandomSource) {
  const size = countOf(shape);
  checkRange(stream, start, size);
  const [seed_low, seed_high] = keyOf(seed);
  return { size, seed_low, seed_high, stream, start };
}

/**
 * A u32 tensor of the stream's words, made on the GPU: the bits of `randomU32`.
 * @throws LimnError `tensor/random`, `tensor/shape`
 */
export function randomU32Tensor(step: Step, shape: readonly number[], source: RandomSource): Tensor {
  const y = allocate(step, shape, 'randomU32', 'u32');
  step.dispatch(wordKernel, { y: y.storage }, sourceUniforms(shape, source));
  return y;
}

/**
 * A tensor of uniforms on [0, 1), made on the GPU: the bits of `randomUniform`.
 * @throws LimnError `tensor/random`, `tensor/shape`
 */
export function randomUniformTensor(step: Step, shape: readonly number[], source: RandomSource): Tensor {
  const y = allocate(step, shape, 'randomUniform');
  step.dispatch(uniformKernel, { y: y.storage }, sourceUniforms(shape, source));
  return y;
}

/**
 * A tensor of normals with mean 0, made on the GPU: the bits of `randomNormal`.
 * @throws LimnError `tensor/random`, `tensor/shape`
 */
export function randomNormalTensor(step: Step, shape: readonly number[], source: RandomSource, deviation = 1): Tensor {
  const y = allocate(step, shape, 'randomNormal');
  step.dispatch(
    normalKernel,
    { y: y.storage },
    { ...sourceUniforms(shape, source), unit: deviation / UNITS_PER_DEVIATION },
  );
  return y;
}
