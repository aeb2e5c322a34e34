// A dashboard as the feature JSON that graph viewers open.
import { checkFeatureJson, type FeatureJson } from '../formats/feature-json.js';
import type { DashboardExample, FeatureDashboard, TokenScore } from './dashboard.js';

/** What a page says besides. */
export interface FeaturePageOptions {
  /** The dictionary as viewers know it. */
  readonly transcoderId?: string | undefined;
  /** The text of a token id. Default: the dashboard's own texts, else ids. */
  readonly text?: ((token: number) => string) | undefined;
}

/** What stands for a token whose text was taken out. */
const NO_TEXT = '_';

/**
 * The page of a feature: its strongest examples, then its bands from the strongest to the weakest, each with its range and its share of
 * tokens in its name. It passes `checkFeatureJson`.
 * @throws LimnError `data/feature-json`
 */
export function featurePage(dashboard: FeatureDashboard, options: FeaturePageOptions = {}): FeatureJson {
  const { transcoderId, text } = options;
  const { feature, min, max, quantiles, histogram, frequency, top, bands, logits } = dashboard;
  const named = ({ token, text: own }: TokenScore): string => (text ? text(token) : (own ?? String(token)));
  const textOf = ({ tokens, texts }: DashboardExample, i: number): string => {
    const token = tokens[i];
    return token === undefined ? NO_TEXT : text ? text(token) : (texts?.[i] ?? String(token));
  };
  const example = (each: DashboardExample): FeatureJson['examples_quantiles'][number]['examples'][number] => ({
    tokens: each.activations.map((_, i) => textOf(each, i)),
    tokens_acts_list: each.activations,
    train_token_ind: each.at,
    is_repeated_datapoint: each.repeated,
  });
  const intervals = [...bands].reverse().map(({ from, to, share, examples }) => ({
    quantile_name: `${short(from)} to ${short(to)} (${short(100 * share)} % of tokens)`,
    examples: [...examples].reverse().map(example),
  }));
  return checkFeatureJson({
    ...(transcoderId === undefined ? {} : { transcoder_id: transcoderId }),
    index: feature,
    examples_quantiles: [{ quantile_name: 'Top activations', examples: top.map(example) }, ...intervals],
    top_logits: (logits?.most ?? []).map(named),
    bottom_logits: (logits?.least ?? []).map(named),
    act_min: min,
    act_max: max,
    quantile_values: quantiles.map(({ value }) => value),
    histogram,
    activation_frequency: frequency,
  });
}

const short = (value: number): string => String(Number(value.toPrecision(3)));
