// Features by token: those that fire on it, read its embedding, or raise or lower its logit; over dashboards and over the weights alone.
import { LimnError, type Step } from '@limn/gpu';
import { tokenBatch, type HookedModel } from '@limn/hooks';
import { add, matmul, mean, reshape, scale, sub, sum, type Tensor } from '@limn/tensor';
import { strongest, type Connection } from '../graph/feature-pull-back.js';
import type { FeatureDashboard, DashboardExample, TokenScore } from './dashboard.js';
import {
  beforeUnembedding,
  checkFeatures,
  checkReads,
  originOf,
  readRows,
  writers,
  type FeatureOwner,
} from './feature-owner.js';

/** In what way a feature has to do with a token. */
export type SearchedBy = 'activation' | 'context' | 'de-embedding' | 'promoted' | 'suppressed';

/** What is searched for. */
export interface FeatureQuery {
  /** Token ids, any of which will do: ' he' and ' He' may be one search. */
  readonly tokens: readonly number[];
  /**
   * - `activation`: the share of the strongest examples that fire on such a token;
   * - `context`: the share that have one in the window;
   * - `de-embedding`, `promoted`, `suppressed`: the largest score in the dashboard's list of that name, of `suppressed` negated.
   */
  readonly by: SearchedBy;
  /** Most features to give. Default 20. */
  readonly most?: number | undefined;
}

/** A feature that was found. */
export interface FoundFeature {
  readonly feature: number;
  /** As the query's `by` says; above 0. */
  readonly score: number;
}

/**
 * Searches dashboards, the best first, ties by the lower feature. Dashboards without text have no examples to search.
 * @throws LimnError `usage/feature-query`
 */
export function searchFeatures(dashboards: Iterable<FeatureDashboard>, query: FeatureQuery): FoundFeature[] {
  const { tokens, by, most = 20 } = query;
  checkQuery(tokens, most, Infinity);
  const wanted = new Set(tokens);
  const found: FoundFeature[] = [];
  for (const dashboard of dashboards) {
    const score = scoreOf(dashboard, by, wanted);
    if (score > 0) found.push({ feature: dashboard.feature, score });
  }
  return found.sort((a, b) => b.score - a.score || a.feature - b.feature).slice(0, most);
}

/** What of the weights is searched. */
export interface WeightQuery {
  /**
   * - `reads`: W_enc·(γ∘) mean of the tokens' embeddings, what `deEmbedding` gives;
   * - `writes`: mean logit of the tokens less that of `against`, or less the mean logit: what `featureLogits` gives, of a cross-layer
   *   transcoder's features over all the layers that they write at.
   */
  readonly by: 'reads' | 'writes';
  readonly tokens: readonly number[];
  /** Of `writes`: the logits that the tokens' are compared with. */
  readonly against?: readonly number[] | undefined;
  /** Features at either end, at most 64. Default 20. */
  readonly most?: number | undefined;
}

/**
 * Searches all features of an owner by its weights: no text is needed. `most` promote or read the tokens, `least` suppress them or are
 * held back by them.
 * @throws LimnError `usage/feature-query`, `usage/feature-directions` for what an SAE reads and an encoder without `decoders` writes, `usage/features`, `data/dictionary-model`, `tokens/…`,
 * `hooks/unknown-site`, `gpu/…`; AbortedError
 */
export async function searchFeatureWeights(
  model: HookedModel,
  owner: FeatureOwner,
  { by, tokens, against, most = 20 }: WeightQuery,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<{ readonly most: readonly Connection[]; readonly least: readonly Connection[] }> {
  const { vocabulary: V, width: C } = model.info;
  checkQuery([...tokens, ...(against ?? [])], most, 64, V);
  const features = checkFeatures(originOf(model, owner));
  if (by === 'reads') checkReads(model, owner);
  const step = model.gpu.step({ label: 'search of features', ...(signal ? { signal } : {}) });
  try {
    const row = (x: Tensor): Tensor => reshape(mean(step, x, { axes: 0 }), [1, C]);
    const unembedded = (ids: readonly number[]): Tensor => row(model.unembedRows(step, ids));
    let direction: Tensor;
    let rows: Tensor;
    if (by === 'reads') {
      const embedded = model.embed(
        step,
        tokenBatch(
          tokens.map((token) => [token]),
          model.info,
        ),
      );
      [rows, direction] = [readRows(step, model, owner, features), row(reshape(embedded, [tokens.length, C]))];
    } else {
      rows = beforeUnembedding(step, model, writers(step, model, owner));
      direction = sub(step, unembedded(tokens), against ? unembedded(against) : meanUnembedding(step, model));
    }
    const scores = reshape(matmul(step, rows, direction, { transposeB: true }), [features.length]);
    return await strongest(step, scores, most);
  } finally {
    step.dispose();
  }
}

/** Rows of W_U that are averaged at a time. */
const ROWS = 8192;

/** The mean row of W_U, [1, C]. */
function meanUnembedding(step: Step, model: HookedModel): Tensor {
  const { vocabulary: V, width: C } = model.info;
  let total: Tensor | undefined;
  for (let start = 0; start < V; start += ROWS) {
    const ids = Array.from({ length: Math.min(ROWS, V - start) }, (_, i) => start + i);
    const part = reshape(sum(step, model.unembedRows(step, ids), { axes: 0 }), [1, C]);
    total = total ? add(step, total, part) : part;
  }
  return scale(step, total as Tensor, 1 / V);
}

function scoreOf(dashboard: FeatureDashboard, by: SearchedBy, wanted: ReadonlySet<number>): number {
  const { top, logits, deEmbedding } = dashboard;
  const share = (has: (example: DashboardExample) => boolean): number =>
    top.length === 0 ? 0 : top.filter(has).length / top.length;
  const best = (list: readonly TokenScore[] = [], sign: 1 | -1 = 1): number =>
    list.reduce((most, { token, value }) => (wanted.has(token) ? Math.max(most, sign * value) : most), 0);
  switch (by) {
    case 'activation':
      return share(({ tokens, at }) => wanted.has(tokens[at] ?? -1));
    case 'context':
      return share(({ tokens }) => tokens.some((token) => wanted.has(token)));
    case 'de-embedding':
      return best(deEmbedding?.most);
    case 'promoted':
      return best(logits?.most);
    case 'suppressed':
      return best(logits?.least, -1);
    default:
      throw new LimnError('usage/feature-query', `Features cannot be searched by ${String(by)}.`, {
        details: { by },
        hint: 'Search by activation, context, de-embedding, promoted or suppressed.',
      });
  }
}

function checkQuery(tokens: readonly number[], most: number, limit: number, V = Infinity): void {
  const odd = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < V));
  const problem =
    tokens.length === 0
      ? 'no token was given'
      : odd !== undefined
        ? `${String(odd)} is no token id`
        : !Number.isInteger(most) || most < 1 || most > limit
          ? `${String(most)} features were asked for`
          : undefined;
  if (problem === undefined) return;
  throw new LimnError('usage/feature-query', `Features cannot be searched: ${problem}.`, {
    details: { tokens, most },
    hint: 'Give ids of the vocabulary, and how many features to find.',
  });
}
