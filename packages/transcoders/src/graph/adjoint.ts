// The adjoint of the frozen model: from vectors that read the residual stream at one place, what every source brings to them.
import type { Step } from '@limn/gpu';
import { add, concat, matmul, permute, reshape, slice, sum, type Tensor } from '@limn/tensor';
import type { FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import { firstRows, type ConstantSources, type GraphSources, type PlacedSources } from './graph-sources.js';
import type { StreamPlace } from './stream-place.js';
import { throughNorm } from './through-norm.js';

/** Products of sources with the vectors: placed ones [T', B, n] or constants [B, n], not yet read. */
export type Reading =
  | { readonly sources: PlacedSources; readonly products: Tensor }
  | { readonly sources: ConstantSources; readonly products: Tensor };

/**
 * Carries G [T', B, C], B vectors that read the stream at `from` at positions 0 … T' − 1, down to the embeddings:
 * at an attention layer G ← G + C(γ₁∘Σ_h W_V^h·Σ_t A_h[t, s]·(W_O^h·G[t]))/s₁; at an MLP it is multiplied with what was written there,
 * and where a skip connection is passed through, G ← G + C(γ₂∘(W_skip·G))/s₂. At the attention layer `splitAt`, a single vector becomes
 * 1 + H: what passes it by, and what each head reads.
 */
export function carryBack(
  step: Step,
  prompt: FrozenPrompt,
  sources: GraphSources,
  from: StreamPlace,
  seeds: Tensor,
  splitAt?: number,
): Reading[] {
  const { block } = prompt.model.info;
  const readings: Reading[] = [];
  let g = seeds;
  for (let l = from.layer; l >= 0; l--) {
    const starts = l === from.layer;
    if (starts && from.at === 'pre') continue;
    const layer = prompt.layers[l] as FrozenLayer;
    const written = sources.layers[l];
    let skipped: Tensor | undefined;
    if (!written) continue;
    if (!(starts && from.at === 'mid')) {
      readings.push(placedReading(step, written.mlp, g));
      if (written.mlpConstants) readings.push(constantReading(step, written.mlpConstants, g));
      skipped = sources.skips === 'through' ? throughSkip(step, layer, g) : undefined;
      if (skipped && block === 'sequential') g = add(step, g, skipped);
    }
    readings.push(constantReading(step, written.attentionConstants, g));
    const past = skipped && block === 'parallel' ? add(step, g, skipped) : g;
    g =
      l === splitAt
        ? concat(step, [past, throughHeads(step, layer, g)], 1)
        : add(step, past, throughAttention(step, layer, g));
  }
  readings.push(placedReading(step, sources.embeddings, g));
  return readings;
}

/** The vectors that read the stream before a layer's attention, for G [T', B, C] behind it. */
function throughAttention(step: Step, layer: FrozenLayer, g: Tensor): Tensor {
  const [T = 0, B = 0] = g.shape;
  const values = valueGradients(step, layer, g, B);
  const read = matmul(step, values, layer.wV, { transposeB: true, label: 'back through W_V' });
  return throughNorm(step, layer.ln1.weights, read, firstRows(step, layer.ln1.scale, T));
}

/** The same of each head alone, for a single G [T', 1, C]: [T', H, C]. */
function throughHeads(step: Step, layer: FrozenLayer, g: Tensor): Tensor {
  const [T = 0, , C = 0] = g.shape;
  const H = layer.pattern.shape[0] as number;
  const K = (layer.wO.shape[0] as number) / H;
  const z = permute(step, reshape(valueGradients(step, layer, g, 1), [T, H, K]), [1, 0, 2]);
  const wV = permute(step, reshape(layer.wV, [C, H, K]), [1, 0, 2]);
  const byHead = permute(step, matmul(step, z, wV, { transposeB: true, label: 'back through W_V by head' }), [1, 0, 2]);
  return throughNorm(step, layer.ln1.weights, byHead, firstRows(step, layer.ln1.scale, T));
}

/** Σ_t A_h[t, s]·(W_O^h·G[t]) of all heads, [S, B, H·K]. */
function valueGradients(step: Step, layer: FrozenLayer, g: Tensor, B: number): Tensor {
  const T = g.shape[0] as number;
  const [H = 0, all = 0] = layer.pattern.shape;
  const width = layer.wO.shape[0] as number;
  const K = width / H;
  const z = reshape(matmul(step, g, layer.wO, { transposeB: true, label: 'back through W_O' }), [T, B, H, K]);
  const byHead = reshape(permute(step, z, [2, 0, 1, 3]), [H, T, B * K]);
  const pattern = T === all ? layer.pattern : slice(step, slice(step, layer.pattern, 1, 0, T), 2, 0, T);
  const v = reshape(matmul(step, pattern, byHead, { transposeA: true, label: 'back through the pattern' }), [
    H,
    T,
    B,
    K,
  ]);
  return reshape(permute(step, v, [1, 2, 0, 3]), [T, B, width]);
}

/** C(γ₂∘(W_skip·G))/s₂ where a dictionary reads the normalised stream, W_skip·G where it reads the stream itself. */
function throughSkip(step: Step, { features, ln2 }: FrozenLayer, g: Tensor): Tensor | undefined {
  if (!features?.wSkip) return undefined;
  const back = matmul(step, g, features.wSkip, { transposeB: true, label: 'back through the skip connection' });
  return features.encoder.config.input === 'ln2.hook_normalized'
    ? throughNorm(step, ln2.weights, back, firstRows(step, ln2.scale, g.shape[0] as number))
    : back;
}

function placedReading(step: Step, sources: PlacedSources, g: Tensor): Reading {
  const rows = sources.rows(step, g.shape[0] as number);
  return { sources, products: matmul(step, g, rows, { transposeB: true, label: 'edges' }) };
}

function constantReading(step: Step, sources: ConstantSources, g: Tensor): Reading {
  return {
    sources,
    products: matmul(step, sum(step, g, { axes: 0 }), sources.vectors, {
      transposeB: true,
      label: 'edges of constants',
    }),
  };
}

/** Adds what was read of a reading to the rows of its B vectors, `columns` wide each: a feature may write at several places. */
export function addReading(
  { sources, products }: Reading,
  values: Float32Array,
  row: (b: number) => Float32Array,
): void {
  if ('perPosition' in sources) {
    const [T = 0, B = 0, n = 0] = products.shape;
    for (let t = 0; t < T; t++)
      for (let b = 0; b < B; b++) {
        const into = row(b);
        for (let i = 0; i < n; i++) {
          const column = sources.columns[t * n + i] as number;
          if (column >= 0) into[column] = (into[column] as number) + (values[(t * B + b) * n + i] as number);
        }
      }
    return;
  }
  const n = sources.columns.length;
  for (let b = 0; b < values.length / n; b++)
    for (const [i, column] of sources.columns.entries()) row(b)[column] = values[b * n + i] as number;
}
