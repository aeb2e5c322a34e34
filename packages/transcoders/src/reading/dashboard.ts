// What a dashboard of a feature holds, as plain data: JSON can keep it as it is.
import type { FeatureOrigin } from './feature-owner.js';

/** A token that a feature fires on, with what stands around it. */
export interface DashboardExample {
  /** Which of the sequences. */
  readonly sequence: number;
  /** The token's position in it. */
  readonly position: number;
  /** Its activation. */
  readonly value: number;
  /** The ids around the token and its own; none once text was taken out. */
  readonly tokens: readonly number[];
  /** Their texts, where a function for them was given. */
  readonly texts?: readonly string[];
  /** The feature's activation on each; 0 at positions that are not scored. */
  readonly activations: readonly number[];
  /** Where among them the token stands. */
  readonly at: number;
  /** An earlier example of the same list has the same tokens around it. */
  readonly repeated: boolean;
}

/** A fifth of a feature's range of activations, with examples from it. */
export interface ActivationBand {
  readonly from: number;
  readonly to: number;
  /** Share of the scored tokens whose activation lies in it. */
  readonly share: number;
  /** By rising activation, at most ten: the nearest tokens to ten values at equal steps. */
  readonly examples: readonly DashboardExample[];
}

/** A token of the vocabulary and what the weights say of it. */
export interface TokenScore {
  readonly token: number;
  readonly value: number;
  readonly text?: string;
}

/** The tokens that score most and least, each from the outside in. */
export interface ScoredTokens {
  readonly most: readonly TokenScore[];
  readonly least: readonly TokenScore[];
}

/** A dashboard. */
export interface FeatureDashboard {
  readonly origin: FeatureOrigin;
  readonly feature: number;
  /** Scored tokens. */
  readonly tokens: number;
  /** Those that it fires on, and their share. */
  readonly fired: number;
  readonly frequency: number;
  /** Over all scored tokens: 0 where it is silent anywhere. */
  readonly min: number;
  readonly max: number;
  /** The value that a share of its firings does not exceed, to within max / (8 · bins). */
  readonly quantiles: readonly { readonly share: number; readonly value: number }[];
  /** Firings in equal bins from 0 to max. */
  readonly histogram: readonly number[];
  /** The strongest, one for each context. */
  readonly top: readonly DashboardExample[];
  /** Examples at equal steps from min to max; none of a feature that never fires. */
  readonly bands: readonly ActivationBand[];
  /** Logits that what it writes raises and lowers most, see `featureLogits`; those of a cross-layer transcoder have none. */
  readonly logits?: ScoredTokens;
  /** Tokens whose embeddings it reads most and least, see `deEmbedding`; SAEs have none. */
  readonly deEmbedding?: ScoredTokens;
}

/** The same without anybody's text: ids and texts of examples are taken out, and texts of the vocabulary's tokens; numbers stay. */
export function withoutText(dashboard: FeatureDashboard): FeatureDashboard {
  const example = ({ sequence, position, value, activations, at, repeated }: DashboardExample): DashboardExample => ({
    sequence,
    position,
    value,
    tokens: [],
    activations,
    at,
    repeated,
  });
  const scores = ({ most, least }: ScoredTokens): ScoredTokens => {
    const bare = ({ token, value }: TokenScore): TokenScore => ({ token, value });
    return { most: most.map(bare), least: least.map(bare) };
  };
  const { logits, deEmbedding } = dashboard;
  return {
    ...dashboard,
    top: dashboard.top.map(example),
    bands: dashboard.bands.map((band) => ({ ...band, examples: band.examples.map(example) })),
    ...(logits ? { logits: scores(logits) } : {}),
    ...(deEmbedding ? { deEmbedding: scores(deEmbedding) } : {}),
  };
}
