// The inputs of make-training-runs.py, by the same formula: numbers that f32 holds exactly, so that both sides start alike.
import type { DictionaryConfig, DictionaryWeights } from '../../src/index.js';

/** `count` numbers from `start` on, each index hashed to a multiple of 1/1024 in [−2, 2). */
export function grid(start: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => {
    let word = Math.imul(start + i, 2_654_435_761) >>> 0;
    word = Math.imul(word ^ (word >>> 16), 0x85ebca6b) >>> 0;
    word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35) >>> 0;
    return (((word ^ (word >>> 16)) >>> 20) - 2048) / 1024;
  });
}

/** Rows x [N, W] of an update, and y_o = x_o x_{o+1} + x_{o+2} / 2, exact in f32. */
export function batchOf(
  update: number,
  rows: number,
  width: number,
): { readonly x: Float32Array; readonly y: Float32Array } {
  const x = grid(10_000_000 + update * rows * width, rows * width);
  const at = (row: number, o: number): number => x[row * width + (o % width)] as number;
  const y = x.map((_, i) => {
    const [row, o] = [Math.floor(i / width), i % width];
    return at(row, o) * at(row, o + 1) + 0.5 * at(row, o + 2);
  });
  return { x, y };
}

/** The weights that every run starts from. */
export function firstWeights({
  features: F,
  inputWidth: I,
  outputWidth: O,
  activation,
  skip,
}: DictionaryConfig): DictionaryWeights {
  const threshold = { 'jump-relu': -2, 'batch-top-k': -87 } as const;
  const kind = activation.kind;
  return {
    wEnc: grid(0, F * I).map((v) => v / 4),
    bEnc: new Float32Array(F),
    wDec: grid(1000, F * O).map((v) => v / 4),
    bDec: new Float32Array(O),
    ...(kind === 'jump-relu' || kind === 'batch-top-k'
      ? { logThreshold: new Float32Array(F).fill(threshold[kind]) }
      : {}),
    ...(skip ? { wSkip: new Float32Array(I * O) } : {}),
  };
}
