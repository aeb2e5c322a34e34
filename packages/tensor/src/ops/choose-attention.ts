// How attention is computed for a shape on an adapter: a pure function of both.
import type { Capabilities } from '@limn/gpu';
import type { AttentionForm } from './attention-form.js';

/** Widest head that the fused and the tiled kernels take. */
export const FUSED_HEAD_WIDTH = 128;

/** Largest pattern that is worth storing: beyond it, recomputing in registers saves the memory. */
const PATTERN_BYTES = 64 * 2 ** 20;
const isSmall = ({ batch, heads, queries, keys }: AttentionForm): boolean =>
  4 * batch * heads * queries * keys <= PATTERN_BYTES;

/**
 * How attention is computed. `tiled`: tiles of 32 queries and 32 keys in workgroup memory. `decode`: one query a row, whose keys lanes
 * and workgroups share. `fused`: a lane a query, which walks over all keys. These never store the pattern; their backward passes
 * compute it again. `parts`: three ops, the pattern stored between them.
 */
export type AttentionKernel = 'tiled' | 'decode' | 'fused' | 'parts';

/** The ways that can run a shape at all, whatever their speed. */
export function possibleAttentions({ limits }: Capabilities, form: AttentionForm): AttentionKernel[] {
  const { batch, heads, queries, keys, width } = form;
  const fits = 4 * batch * heads * queries * keys <= limits.maxStorageBufferBindingSize;
  const narrow = width <= FUSED_HEAD_WIDTH;
  return [
    ...(narrow && width % 4 === 0 ? (['tiled'] as const) : []),
    ...(narrow && width % 4 === 0 && queries === 1 ? (['decode'] as const) : []),
    ...(narrow ? (['fused'] as const) : []),
    ...(fits || !narrow ? (['parts'] as const) : []),
  ];
}

/**
 * The way for a shape on an adapter. On software adapters three matmul-shaped ops are several times faster than one lane
 * per query (`npm run bench -- --filter attention`), as long as the pattern is small; GPUs take tiles, and `decode` where a tile would be almost empty.
 */
export function chooseAttention(capabilities: Capabilities, form: AttentionForm): AttentionKernel {
  const software = capabilities.adapter.isFallback;
  const possible = possibleAttentions(capabilities, form);
  if (form.width > FUSED_HEAD_WIDTH || (software && isSmall(form) && possible.includes('parts'))) return 'parts';
  if (software) return 'fused';
  return (['decode', 'tiled'] as const).find((kernel) => possible.includes(kernel)) ?? 'fused';
}

/**
 * The ways worth measuring for a shape, the one that chooseAttention takes first. Speed is not worth a large pattern, and tiles are not
 * worth their compiling on a software adapter, whose barriers and workgroup memory cost more than they save.
 */
export function attentionCandidates(capabilities: Capabilities, form: AttentionForm): AttentionKernel[] {
  const chosen = chooseAttention(capabilities, form);
  const software = capabilities.adapter.isFallback;
  const others = possibleAttentions(capabilities, form).filter((kernel) =>
    kernel === 'parts' ? isSmall(form) : kernel === 'fused' || !software,
  );
  return [chosen, ...others.filter((kernel) => kernel !== chosen)];
}
