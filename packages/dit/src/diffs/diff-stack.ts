// LoRAs of many diffs in one place: for each linear map A [N, r, in] and B [N, out, r], a row of both for every diff.
import type { Gpu } from '@limn/gpu';
import {
  withTaskAdapters,
  type Intervention,
  type LinearSite,
  type TaskAdapterOptions,
  type TaskLowRank,
} from '@limn/hooks';
import { persistent, type Tensor } from '@limn/tensor';
import { loraScale, type LoraFactors, type LoraWeights } from '../lora/lora-weights.js';

/** What a place of a stack holds, besides its numbers. */
export type PlacedDiff = Pick<LoraWeights, 'rank' | 'alpha' | 'rsLora'>;

/** Bytes of the f32 factors of N diffs of rank r: 4 · N · r · Σ (in + out). */
export function stackBytes(linears: readonly LinearSite[], places: number, rank: number): number {
  return linears.reduce((sum, { inWidth, outWidth }) => sum + 4 * places * rank * (inWidth + outWidth), 0);
}

/** The stacked factors of N diffs on a device; places that nobody takes are 0. */
export class DiffStack {
  /** Of every map, in the model's order. */
  readonly changes: readonly (TaskLowRank & { readonly a: Tensor; readonly b: Tensor })[];

  /** Places for some diffs, in tensors that `take` makes: see `create`. */
  constructor(
    readonly gpu: Gpu,
    linears: readonly LinearSite[],
    readonly diffs: readonly (PlacedDiff | undefined)[],
    /** Of the stack; a diff's own is at most that. */
    readonly rank: number,
    take: (label: string, shape: readonly number[]) => Tensor,
  ) {
    const places = diffs.length;
    const scales = Float32Array.from(diffs, (diff) => (diff ? loraScale(diff, diff.rsLora) : 1));
    this.changes = linears.map((linear) => ({
      linear,
      a: take(`A of ${linear.name}`, [places, rank, linear.inWidth]),
      b: take(`B of ${linear.name}`, [places, linear.outWidth, rank]),
      scales,
    }));
  }

  /**
   * Takes the memory, with every factor 0.
   * @throws LimnError `gpu/…`
   */
  static create(
    gpu: Gpu,
    linears: readonly LinearSite[],
    diffs: readonly (PlacedDiff | undefined)[],
    rank: number,
  ): DiffStack {
    const made: Tensor[] = [];
    try {
      return new DiffStack(gpu, linears, diffs, rank, (label, shape) => {
        const tensor = persistent(gpu, shape, undefined, { label });
        made.push(tensor);
        return tensor;
      });
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
  }

  /** By name, with two of every map: `{map}.a` and `{map}.b`. */
  get parameters(): { readonly name: string; readonly tensor: Tensor }[] {
    return this.changes.flatMap(({ linear, a, b }) => [
      { name: `${linear.name}.a`, tensor: a },
      { name: `${linear.name}.b`, tensor: b },
    ]);
  }

  /** Puts the factors of all places; ranks below the stack's are padded with zeros. */
  write(loras: readonly (LoraWeights | undefined)[]): void {
    for (const { linear, a, b } of this.changes) {
      const stacked = stackedFactors(linear, loras, this.rank);
      this.gpu.write(a.storage, stacked.a);
      this.gpu.write(b.storage, stacked.b);
    }
  }

  /** The factors of every place that is taken, as they are behind the steps submitted so far. */
  async read(): Promise<Map<string, LoraFactors>[]> {
    const found = this.diffs.map(() => new Map<string, LoraFactors>());
    for (const { linear, a, b } of this.changes) {
      const [as, bs] = [await this.gpu.read(a.storage, 'f32'), await this.gpu.read(b.storage, 'f32')];
      this.diffs.forEach((diff, n) => {
        if (!diff) return;
        const { rank, alpha } = diff;
        const fromA = n * this.rank * linear.inWidth;
        const fromB = n * linear.outWidth * this.rank;
        found[n]?.set(linear.name, {
          a: as.slice(fromA, fromA + rank * linear.inWidth),
          b: narrowed(bs.subarray(fromB, fromB + linear.outWidth * this.rank), linear.outWidth, this.rank, rank),
          rank,
          alpha,
        });
      });
    }
    return found;
  }

  /** Every row of a batch with the diff of its place, −1 for rows without. */
  interventions(options: TaskAdapterOptions): Intervention[] {
    return withTaskAdapters('diffs', this.changes, options);
  }

  /** Releases the GPU memory. */
  dispose(): void {
    for (const { tensor } of this.parameters) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A [N, rank, in] and B [N, out, rank] of one map of some LoRAs: 0 where one does not change it, and behind ranks below the stack's. */
export function stackedFactors(
  { name, inWidth, outWidth }: LinearSite,
  loras: readonly (LoraWeights | undefined)[],
  rank: number,
): { readonly a: Float32Array; readonly b: Float32Array } {
  const a = new Float32Array(loras.length * rank * inWidth);
  const b = new Float32Array(loras.length * outWidth * rank);
  loras.forEach((lora, n) => {
    const factors = lora?.modules.get(name);
    if (!factors) return;
    a.set(factors.a, n * rank * inWidth);
    b.set(widened(factors, outWidth, rank), n * outWidth * rank);
  });
  return { a, b };
}

/** B [out, own] as [out, rank], zeros behind each row. */
function widened({ b, rank: own }: LoraFactors, out: number, rank: number): Float32Array {
  if (own === rank) return b;
  const wide = new Float32Array(out * rank);
  for (let o = 0; o < out; o++) wide.set(b.subarray(o * own, (o + 1) * own), o * rank);
  return wide;
}

/** B [out, rank] as [out, own]. */
function narrowed(b: Float32Array, out: number, rank: number, own: number): Float32Array {
  if (own === rank) return b.slice();
  const narrow = new Float32Array(out * own);
  for (let o = 0; o < out; o++) narrow.set(b.subarray(o * rank, o * rank + own), o * own);
  return narrow;
}
