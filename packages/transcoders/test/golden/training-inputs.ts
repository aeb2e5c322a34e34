// The inputs of make-training-runs.py and make-cross-layer-runs.py, by the same formula: numbers that f32 holds exactly, so that both sides start alike.
import type {
  CrossLayerDictionaryConfig,
  CrossLayerWeights,
  DictionaryConfig,
  DictionaryWeights,
} from '../../src/index.js';

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

/** Rows x [N, W] of every layer in an update, and y_l,o = x_l,o x_0,o+1 + x_l,o+2 / 2, exact in f32. */
export function crossLayerBatchOf(
  update: number,
  { layers, rows, width }: { readonly layers: number; readonly rows: number; readonly width: number },
): { readonly x: readonly Float32Array[]; readonly y: readonly Float32Array[] } {
  const size = rows * width;
  const x = Array.from({ length: layers }, (_, l) => grid(10_000_000 + (update * layers + l) * size, size));
  const y = x.map((own) =>
    own.map((value, i) => {
      const [row, o] = [Math.floor(i / width), i % width];
      const first = (x[0] as Float32Array)[row * width + ((o + 1) % width)] as number;
      return value * first + 0.5 * (own[row * width + ((o + 2) % width)] as number);
    }),
  );
  return { x, y };
}

/** The weights that every run of a cross-layer transcoder starts from. */
export function crossLayerFirstWeights({
  layers: L,
  features: F,
  width: d,
  activation,
}: CrossLayerDictionaryConfig): CrossLayerWeights[] {
  const threshold = { 'jump-relu': 0.125, 'batch-top-k': 2 ** -120 } as const;
  const kind = activation.kind;
  return Array.from({ length: L }, (_, i) => {
    const wDec = new Float32Array(F * (L - i) * d);
    for (let l = i; l < L; l++)
      grid(10_000 * i + 1000 * (l + 1), F * d).forEach((value, at) => {
        wDec[(Math.floor(at / d) * (L - i) + l - i) * d + (at % d)] = value / 4;
      });
    return {
      layer: i,
      wEnc: grid(10_000 * i, F * d).map((v) => v / 4),
      bEnc: new Float32Array(F),
      bDec: new Float32Array(d),
      wDec,
      ...(kind === 'jump-relu' || kind === 'batch-top-k'
        ? { threshold: new Float32Array(F).fill(threshold[kind]) }
        : {}),
    };
  });
}
