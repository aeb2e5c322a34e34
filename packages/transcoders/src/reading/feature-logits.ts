// What the weights alone say of features: the logits that they raise and lower, and the tokens whose embeddings they read.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { MAX_TOP_K } from '@limn/tensor';
import {
  beforeUnembedding,
  checkFeatures,
  checkReads,
  originOf,
  readRows,
  writtenRows,
  type FeatureOwner,
  type HeadPlace,
} from './feature-owner.js';
import { vocabularyScores, type VocabularyScores } from './vocabulary-scores.js';

/** What of the vocabulary is given. */
export interface FeatureTokensOptions extends RunControls {
  /** Tokens at either end, at most 64. Default 10. */
  readonly count?: number | undefined;
  /** The scores of all tokens too, 4 bytes each a feature. */
  readonly all?: boolean | undefined;
}

/**
 * Logits that each feature raises and lowers by what it writes, (C(W_dec[f])∘γ)·W_Uᵀ less the mean over the vocabulary, which softmax does
 * not see; C takes the mean off where ln_final does, and γ is ln_final's (1 in a model whose weights were folded). At a prompt an
 * activation a adds a/s times this, but for what other layers make of it. No bias is in it. A feature of a cross-layer transcoder (one of
 * `CrossLayerDictionary.encoders`) writes at its own layer and all behind it: W_dec[f] is Σ_l W_dec,l[f], which is all of its direct path.
 * @throws LimnError `usage/feature-directions` for an encoder without `decoders`, `usage/features`, `usage/feature-tokens`,
 * `data/dictionary-model`, `hooks/unknown-site`, `usage/batch-size`, `usage/memory`, `gpu/…`; AbortedError
 */
export async function featureLogits(
  model: HookedModel,
  owner: FeatureOwner,
  features: ArrayLike<number>,
  options: FeatureTokensOptions = {},
): Promise<VocabularyScores[]> {
  const chosen = checkFeatures(originOf(model, owner), features);
  const { count, all } = settle(options);
  return vocabularyScores(
    model,
    chosen.length,
    (step, first, rows) =>
      beforeUnembedding(step, model, writtenRows(step, model, owner, chosen.subarray(first, first + rows))),
    { ...options, table: 'unembedding', count, all, demeaned: true },
  );
}

/**
 * Tokens whose embeddings each feature reads most and least, W_E·C(W_enc[f]∘γ) but for 1/s; `through` a head W_E·C(γ_1∘W_V·W_O·v) of that
 * v, which says what a feature hears of a token that the head looks at. Best where the stream is still the embeddings: layer 0.
 * @throws LimnError `usage/feature-directions` for an SAE, and for a head that does not lie before the features; `usage/features`,
 * `usage/feature-tokens`, `data/dictionary-model`, `hooks/unknown-site`, `usage/batch-size`, `usage/memory`, `gpu/…`; AbortedError
 */
export async function deEmbedding(
  model: HookedModel,
  owner: FeatureOwner,
  features: ArrayLike<number>,
  options: FeatureTokensOptions & { readonly through?: HeadPlace | undefined } = {},
): Promise<VocabularyScores[]> {
  const chosen = checkFeatures(originOf(model, owner), features);
  const { through } = options;
  checkReads(model, owner, through);
  const { count, all } = settle(options);
  return vocabularyScores(
    model,
    chosen.length,
    (step, first, rows) => readRows(step, model, owner, chosen.subarray(first, first + rows), through),
    { ...options, table: 'embedding', count, all, demeaned: false },
  );
}

function settle({ count = 10, all = false }: FeatureTokensOptions): {
  readonly count: number;
  readonly all: boolean;
} {
  if (!Number.isInteger(count) || count < 1 || count > MAX_TOP_K)
    throw new LimnError('usage/feature-tokens', `There is no list of the ${String(count)} tokens that score most.`, {
      details: { count },
      hint: `Ask for 1 to ${MAX_TOP_K}; 'all' gives the scores of all tokens.`,
    });
  return { count, all };
}
