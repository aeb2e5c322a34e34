// Sizes and random weights of the toy: linear maps stored [out, in] as nn.Linear does, embedding and unembedding apart, no positions.
import type { Gpu } from '@limn/gpu';
import { asRowBlocks, fillNormal, persistent, type RowBlocks, type Tensor } from '@limn/tensor';

/** Sizes of a toy. */
export interface ToySizes {
  readonly layers: number;
  readonly heads: number;
  readonly headWidth: number;
  readonly mlpWidth: number;
  readonly vocabulary: number;
  readonly maxPositions: number;
}

/** The three inputs of attention, in the order in which `Slots` has them. */
export const letters = ['q', 'k', 'v'] as const;
export type Letter = (typeof letters)[number];

/** By name: embed and unembed [V, C], `{l}.{q,k,v,o}.weight` [C, C], `{l}.in.weight` [M, C], `{l}.out.weight` [C, M], biases of the MLP, γ of norms. */
export function toyWeights(gpu: Gpu, sizes: ToySizes, seed: number): Map<string, Tensor | RowBlocks> {
  const { heads, headWidth, mlpWidth: M, vocabulary: V } = sizes;
  const C = heads * headWidth;
  const weights = new Map<string, Tensor | RowBlocks>();
  const put = (name: string, shape: readonly number[], deviation: number, centre = 0): Tensor => {
    const data = fillNormal(
      new Float32Array(shape.reduce((a, b) => a * b, 1)),
      { seed, stream: weights.size },
      deviation,
    );
    const values = data.map((value) => value + centre);
    const tensor = persistent(gpu, shape, values, { label: name });
    weights.set(name, tensor);
    return tensor;
  };
  weights.set('embed', asRowBlocks(put('embed', [V, C], 0.7)));
  for (let l = 0; l < sizes.layers; l++) {
    for (const n of [1, 2]) put(`${l}.norm${n}`, [C], 0.2, 1);
    for (const letter of letters) put(`${l}.${letter}.weight`, [C, C], 1.2 / Math.sqrt(C));
    put(`${l}.o.weight`, [C, C], 1 / Math.sqrt(C));
    put(`${l}.in.weight`, [M, C], 1 / Math.sqrt(C));
    put(`${l}.in.bias`, [M], 0.2);
    put(`${l}.out.weight`, [C, M], 1 / Math.sqrt(M));
    put(`${l}.out.bias`, [C], 0.1);
  }
  put('norm', [C], 0.2, 1);
  weights.set('unembed', asRowBlocks(put('unembed', [V, C], 0.5)));
  return weights;
}
