// A LoRA on a device, put into runs as interventions: the model's own weights stay what they are.
import { LimnError, type Gpu } from '@limn/gpu';
import { withAdapter, type Extent, type HookedModel, type Intervention, type LowRank } from '@limn/hooks';
import { persistent, type Tensor } from '@limn/tensor';
import { placedFactors, type BaseOptions, type LoraWeights } from './lora-weights.js';

/** How strongly, and where: rows of a batch can carry different adapters. */
export interface ApplyOptions extends Extent {
  /** Multiplies the scale. Default 1; at 0 there is no intervention, and the model is itself to the bit. */
  readonly strength?: number | undefined;
}

/** What else an adapter is told. */
export interface LoraAdapterOptions extends BaseOptions {
  /** What it is called in labels and specs. Default 'lora'. */
  readonly name?: string | undefined;
}

/** A LoRA's factors in GPU memory. */
export class LoraAdapter {
  readonly name: string;
  readonly gpu: Gpu;
  /** Names of the maps that it changes, in the model's order. */
  readonly modules: readonly string[];
  readonly #changes: readonly LowRank[];

  /**
   * Uploads the factors.
   * @throws LimnError `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`, `data/lora-base`,
   * `data/lora-processed`, `gpu/…`
   */
  constructor(
    model: Pick<HookedModel, 'gpu' | 'info' | 'linears'>,
    lora: LoraWeights,
    { name = 'lora', anyBase }: LoraAdapterOptions = {},
  ) {
    const placed = placedFactors(model, lora, { anyBase });
    const made: Tensor[] = [];
    const upload = (label: string, shape: readonly [number, number], data: Float32Array): Tensor => {
      const tensor = persistent(model.gpu, shape, data, { label });
      made.push(tensor);
      return tensor;
    };
    try {
      this.#changes = placed.map(({ linear, factors: { a, b, rank }, scale }) => ({
        linear,
        a: upload(`${name} Aᵀ of ${linear.name}`, [linear.inWidth, rank], transposed(a, rank, linear.inWidth)),
        b: upload(`${name} Bᵀ of ${linear.name}`, [rank, linear.outWidth], transposed(b, linear.outWidth, rank)),
        factor: scale,
      }));
    } catch (error) {
      for (const tensor of made) tensor.dispose();
      throw error;
    }
    this.name = name;
    this.gpu = model.gpu;
    this.modules = placed.map(({ linear }) => linear.name);
  }

  /**
   * y += strength·s·(x·Aᵀ)·Bᵀ at every map: interventions like any others. Of several adapters each sees the x that all of them made, as
   * PEFT's active adapters do; their order does not matter beyond round-off.
   * @throws LimnError `usage/lora-strength`
   */
  interventions({ strength = 1, ...extent }: ApplyOptions = {}): Intervention[] {
    checkStrength(strength);
    if (strength === 0) return [];
    const changes = this.#changes.map((change) => ({ ...change, factor: change.factor * strength }));
    return withAdapter(this.name, changes, extent);
  }

  /** Releases the GPU memory; interventions made of it end with it. */
  dispose(): void {
    for (const { a, b } of this.#changes) {
      a.dispose();
      b.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Refuses a strength that is no number.
 * @throws LimnError `usage/lora-strength`
 */
export function checkStrength(strength: number): void {
  if (typeof strength === 'number' && Number.isFinite(strength)) return;
  throw new LimnError(
    'usage/lora-strength',
    `The strength of an adapter is a finite number; given ${String(strength)}.`,
    {
      details: { given: String(strength) },
    },
  );
}

/** [rows, columns] as [columns, rows]. */
export function transposed(values: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(values.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = values[i * columns + j] as number;
  return turned;
}
