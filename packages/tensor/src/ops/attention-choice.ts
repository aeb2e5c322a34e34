// How attention is computed, as a decision that can be measured: classes of rows of heads, queries, keys and width.
import { defineDecision, type Decision } from '../tuning/decision.js';
import { sizeClass } from '../tuning/decision-rules.js';
import type { AttentionForm } from './attention-form.js';
import { attentionCandidates, chooseAttention, type AttentionKernel } from './choose-attention.js';

const formOf = (batch: number, heads: number, queries: number, keys: number, width: number): AttentionForm => ({
  batch,
  heads,
  queries,
  keys,
  width,
  past: keys - queries,
  scale: 1 / Math.sqrt(width),
});

/** The way of causalAttention, forward and backward; its rule is `chooseAttention`. */
export const attentionDecision: Decision<AttentionForm, AttentionKernel> = defineDecision({
  name: 'attention',
  classOf: ({ batch, heads, queries, keys, width }) => ({
    kind: '',
    sizes: {
      rows: sizeClass(batch * heads),
      queries: sizeClass(queries),
      keys: sizeClass(keys),
      width: sizeClass(width),
    },
  }),
  rule: chooseAttention,
  // Software adapters compile the other ways for a minute and a half, to run them several times slower.
  candidates: (capabilities, form) =>
    capabilities.adapter.isFallback ? [chooseAttention(capabilities, form)] : attentionCandidates(capabilities, form),
  nameOf: (kernel) => kernel,
  // Prompts and batches of GPT-2, a token with a cache, and an update of pocket.
  cases: [
    formOf(1, 12, 48, 48, 64),
    formOf(8, 12, 64, 64, 64),
    formOf(1, 12, 1, 256, 64),
    formOf(8, 12, 256, 256, 64),
    formOf(64, 4, 48, 48, 16),
    formOf(1, 12, 1024, 1024, 64),
    formOf(1, 12, 256, 256, 64),
    formOf(1, 12, 12, 12, 64),
    formOf(32, 12, 12, 12, 64),
  ],
});
