// What viewers show of one feature, as JSON: examples by quantile, logits that it raises and lowers, and how it fires.
import { checked } from './graph-json.js';
import { FEATURE_SCHEMA } from './graph-schema.js';

/** A stretch of text, and how the feature fires on it. */
export interface FeatureExample {
  readonly tokens: readonly string[];
  /** a of each token. */
  readonly tokens_acts_list: readonly number[];
  /** The token that it was chosen for. */
  readonly train_token_ind?: number | null;
  readonly is_repeated_datapoint?: boolean | null;
}

/** A feature's page. */
export interface FeatureJson {
  readonly transcoder_id?: string;
  readonly index: number;
  readonly examples_quantiles: readonly {
    readonly quantile_name: string;
    readonly examples: readonly FeatureExample[];
  }[];
  readonly top_logits?: readonly string[];
  readonly bottom_logits?: readonly string[];
  readonly act_min?: number;
  readonly act_max?: number;
  readonly quantile_values?: readonly number[];
  readonly histogram?: readonly number[];
  /** Share of the tokens on which it fires. */
  readonly activation_frequency?: number;
}

/**
 * A value that has the form of a feature's page.
 * @throws LimnError `data/feature-json`, with the first faults by their paths
 */
export function checkFeatureJson(value: unknown): FeatureJson {
  return checked<FeatureJson>(value, FEATURE_SCHEMA, 'data/feature-json', "The feature's page");
}
