// What a job's result is, in float64 and in the plainest way; and small jobs with random inputs.
import type { BlockWeights, DecodeSpec, JobSpec, MatmulSpec, RowSpec, TrunkSpec } from '../harness/contender.mjs';

/** The result of a job, row-major. */
export function referenceResult(spec: JobSpec): Float64Array {
  switch (spec.kind) {
    case 'matmul':
      return product(Float64Array.from(spec.a), spec.b, spec.m, spec.k, spec.n);
    case 'layernorm':
      return layerNorm(Float64Array.from(spec.x), spec.gamma, spec.beta);
    case 'softmax':
      return rowsOf(Float64Array.from(spec.x), spec.width, softmax);
    case 'gelu':
      return Float64Array.from(spec.x, gelu);
    default:
      return blocks(spec);
  }
}

/** a [m, k] · b [k, n] + bias [n] */
function product(a: Float64Array, b: Float32Array, m: number, k: number, n: number, bias?: Float32Array): Float64Array {
  const c = new Float64Array(m * n);
  for (let row = 0; row < m; row++) {
    const sums = c.subarray(row * n, (row + 1) * n);
    if (bias) sums.set(bias);
    for (let i = 0; i < k; i++) {
      const factor = a[row * k + i]!;
      for (let column = 0; column < n; column++) sums[column]! += factor * b[i * n + column]!;
    }
  }
  return c;
}

function rowsOf(x: Float64Array, width: number, map: (row: Float64Array) => ArrayLike<number>): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += width) y.set(map(x.subarray(at, at + width)), at);
  return y;
}

function layerNorm(x: Float64Array, gamma: Float32Array, beta: Float32Array): Float64Array {
  return rowsOf(x, gamma.length, (row) => {
    const mean = row.reduce((sum, v) => sum + v, 0) / row.length;
    const variance = row.reduce((sum, v) => sum + (v - mean) ** 2, 0) / row.length;
    return row.map((v, i) => ((v - mean) / Math.sqrt(variance + 1e-5)) * gamma[i]! + beta[i]!);
  });
}

function softmax(row: Float64Array): Float64Array {
  const most = Math.max(...row);
  const powers = row.map((v) => Math.exp(v - most));
  const sum = powers.reduce((total, v) => total + v, 0);
  return powers.map((v) => v / sum);
}

const gelu = (x: number): number => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

function blocks(spec: TrunkSpec | DecodeSpec): Float64Array {
  const { width } = spec;
  const tokens = spec.kind === 'trunk' ? spec.tokens : 1;
  let x = Float64Array.from(spec.x);
  spec.blocks.forEach((block, i) => {
    const before = spec.kind === 'decode' ? { keys: spec.keys[i]!, values: spec.values[i]! } : undefined;
    const normal = layerNorm(x, block.gamma1, block.beta1);
    const qkv = product(normal, block.attentionIn, tokens, width, 3 * width, block.attentionInBias);
    const mixed = attention(qkv, spec, tokens, before);
    const attended = product(mixed, block.attentionOut, tokens, width, width, block.attentionOutBias);
    x = x.map((v, j) => v + attended[j]!);
    const hidden = product(
      layerNorm(x, block.gamma2, block.beta2),
      block.mlpIn,
      tokens,
      width,
      4 * width,
      block.mlpInBias,
    );
    const moved = product(hidden.map(gelu), block.mlpOut, tokens, 4 * width, width, block.mlpOutBias);
    x = x.map((v, j) => v + moved[j]!);
  });
  return x;
}

/** Keys and values of tokens before lie as [past, heads, size], which is [past, width]. */
function attention(
  qkv: Float64Array,
  { heads, width }: TrunkSpec | DecodeSpec,
  tokens: number,
  before?: { readonly keys: Float32Array; readonly values: Float32Array },
): Float64Array {
  const size = width / heads;
  const past = (before?.keys.length ?? 0) / width;
  const mixed = new Float64Array(tokens * width);
  const at = (t: number, part: 1 | 2, column: number): number =>
    t < past
      ? (part === 1 ? before!.keys : before!.values)[t * width + column]!
      : qkv[(t - past) * 3 * width + part * width + column]!;
  for (let t = 0; t < tokens; t++)
    for (let h = 0; h < heads; h++) {
      const scores = Float64Array.from({ length: past + t + 1 }, (_, s) => {
        let sum = 0;
        for (let i = h * size; i < (h + 1) * size; i++) sum += qkv[t * 3 * width + i]! * at(s, 1, i);
        return sum / Math.sqrt(size);
      });
      softmax(scores).forEach((weight, s) => {
        for (let i = h * size; i < (h + 1) * size; i++) mixed[t * width + i]! += weight * at(s, 2, i);
      });
    }
  return mixed;
}

/** Numbers in (−scale, scale), the same on every run. */
export function uniform(length: number, scale: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state / 2 ** 31 - 1) * scale;
  });
}

export function matmulSpec(m: number, n: number, k: number): MatmulSpec {
  return { kind: 'matmul', m, n, k, a: uniform(m * k, 1, 1), b: uniform(k * n, 1 / Math.sqrt(k), 2) };
}

export function rowSpec(kind: RowSpec['kind'], rows: number, width: number): RowSpec {
  return {
    kind,
    rows,
    width,
    x: uniform(rows * width, 3, 3),
    gamma: uniform(width, 1, 4).map((v) => 1 + v / 4),
    beta: uniform(width, 0.5, 5),
  };
}

interface Sizes {
  readonly layers: number;
  readonly heads: number;
  readonly width: number;
}

function blockWeights(width: number, seed: number): BlockWeights {
  const vector = (length: number, i: number): Float32Array => uniform(length, 0.1, 97 * seed + i);
  const matrix = (rows: number, columns: number, i: number): Float32Array =>
    uniform(rows * columns, Math.sqrt(3 / rows), 89 * seed + i);
  return {
    gamma1: vector(width, 1).map((v) => 1 + v),
    beta1: vector(width, 2),
    gamma2: vector(width, 3).map((v) => 1 + v),
    beta2: vector(width, 4),
    attentionIn: matrix(width, 3 * width, 5),
    attentionInBias: vector(3 * width, 6),
    attentionOut: matrix(width, width, 7),
    attentionOutBias: vector(width, 8),
    mlpIn: matrix(width, 4 * width, 9),
    mlpInBias: vector(4 * width, 10),
    mlpOut: matrix(4 * width, width, 11),
    mlpOutBias: vector(width, 12),
  };
}

const manyBlocks = ({ layers, width }: Sizes): BlockWeights[] =>
  Array.from({ length: layers }, (_, i) => blockWeights(width, i + 1));

export function trunkSpec(sizes: Sizes, tokens: number): TrunkSpec {
  const { heads, width } = sizes;
  return { kind: 'trunk', heads, width, tokens, blocks: manyBlocks(sizes), x: uniform(tokens * width, 2, 6) };
}

export function decodeSpec(sizes: Sizes, past: number): DecodeSpec {
  const { heads, width, layers } = sizes;
  const caches = (seed: number): Float32Array[] =>
    Array.from({ length: layers }, (_, i) => uniform(past * width, 1.5, seed + i));
  return {
    kind: 'decode',
    heads,
    width,
    past,
    blocks: manyBlocks(sizes),
    keys: caches(1000),
    values: caches(2000),
    x: uniform(width, 2, 7),
  };
}
