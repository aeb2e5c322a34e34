// The tensors of a GPT-2 checkpoint: names, shapes, and which names are to be skipped.
import type { Gpt2Config } from './config.js';

/** A tensor of weights on the host, row-major. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/**
 * Names and shapes in Hugging Face's layout without the `transformer.` prefix. Linear weights are Conv1D's [in, out];
 * c_attn's columns are q‖k‖v, each split into heads. `lm_head.weight` is there only for an untied head.
 */
export function weightShapes(config: Gpt2Config, tied: boolean): Map<string, readonly number[]> {
  const { width: C, mlpWidth: M, vocabulary: V } = config;
  const shapes = new Map<string, readonly number[]>([
    ['wte.weight', [V, C]],
    ['wpe.weight', [config.maxPositions, C]],
  ]);
  for (let l = 0; l < config.layers; l++) {
    const put = (name: string, ...shape: number[]): void => void shapes.set(`h.${l}.${name}`, shape);
    put('ln_1.weight', C);
    put('ln_1.bias', C);
    put('attn.c_attn.weight', C, 3 * C);
    put('attn.c_attn.bias', 3 * C);
    put('attn.c_proj.weight', C, C);
    put('attn.c_proj.bias', C);
    put('ln_2.weight', C);
    put('ln_2.bias', C);
    put('mlp.c_fc.weight', C, M);
    put('mlp.c_fc.bias', M);
    put('mlp.c_proj.weight', M, C);
    put('mlp.c_proj.bias', C);
  }
  shapes.set('ln_f.weight', [C]);
  shapes.set('ln_f.bias', [C]);
  if (!tied) shapes.set('lm_head.weight', [V, C]);
  return shapes;
}

/** The name without the `transformer.` prefix that language-model checkpoints carry. */
export function canonicalName(name: string): string {
  return name.startsWith('transformer.') ? name.slice('transformer.'.length) : name;
}

/** The causal mask that old checkpoints store as if it were a weight. */
export function isMaskBuffer(canonical: string): boolean {
  return /^h\.\d+\.attn\.(bias|masked_bias)$/.test(canonical);
}

/** Whether a weight is one of the four matrices of a block, which some exporters store as [out, in]. */
export function isLinearWeight(canonical: string): boolean {
  return /\.(c_attn|c_proj|c_fc)\.weight$/.test(canonical);
}

/** Whether a weight is a vocabulary-sized matrix, which is kept in blocks of rows that fit any binding limit. */
export function isBlockedWeight(canonical: string): boolean {
  return canonical === 'wte.weight' || canonical === 'lm_head.weight';
}
