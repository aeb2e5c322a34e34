// Dashboards of all features of a dictionary at once, streamed: what each fires on most, examples over its whole range, how often and how strongly.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { FeatureDashboards } from './dashboard-set.js';
import { ExampleWindows } from './example-windows.js';
import { checkFeatures, isWriter, originOf, type FeatureOrigin, type FeatureOwner } from './feature-owner.js';
import { featureLogits, deEmbedding } from './feature-logits.js';
import { FeatureTally } from './feature-tally.js';
import { FiringPasses } from './firing-blocks.js';
import { BANDS, IntervalExamples, TARGETS } from './interval-examples.js';
import { TokenPlaces } from './token-places.js';
import { TopExamples } from './top-examples.js';
import { FINER, ValueHistograms } from './value-histogram.js';

/** What dashboards are to hold. */
export interface DashboardOptions extends RunControls {
  /** Numbers of features. Default: all. */
  readonly features?: ArrayLike<number> | undefined;
  /** Positions at the start of every sequence that are not scored, as in training. Default 0. */
  readonly skip?: number | undefined;
  /** Strongest examples of a feature. Default 20. */
  readonly top?: number | undefined;
  /** Tokens on each side of an example; two examples with the same ones are one. Default 5. */
  readonly window?: number | undefined;
  /** Of the histogram. Default 50. */
  readonly bins?: number | undefined;
  /** Shares of the firings whose quantiles are given. Default 0.05, 0.25, 0.5, 0.75, 0.95, 0.99. */
  readonly quantiles?: readonly number[] | undefined;
  /** Logits and de-embeddings of a feature at either end; 0 for none. Default 10. */
  readonly weightTokens?: number | undefined;
  /** The text of a token id. Default: dashboards have ids alone. */
  readonly text?: ((token: number) => string) | undefined;
  /** Host bytes for activations kept between the three passes; beyond it the model runs in each. Default 256 MiB. */
  readonly keptBytes?: number | undefined;
}

const QUANTILES = [0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

interface Settled {
  readonly top: number;
  readonly window: number;
  readonly bins: number;
}

/**
 * Runs the model over any number of sequences, three times where activations do not fit `keptBytes`: ranges and strongest examples first,
 * then examples at equal steps of activation and histograms, then the activations around every example. Ties go to the earlier token;
 * tokens that an earlier sequence has behind the same tokens are counted, and are no examples. Which sequences share a batch makes no
 * difference but for f32 round-off of values in the model's own kernels; the same call gives the same bits.
 * On the host it takes `dashboardBytes` besides the sequences (4 bytes a token) and `keptBytes`.
 * @throws LimnError `usage/feature-dashboards` for options out of range, `usage/features`, `data/feature-sequences`,
 * `data/dictionary-model`, `usage/dictionary-neurons`, `usage/feature-directions`, `usage/feature-tokens`, `hooks/unknown-site`,
 * `usage/batch-size`, `usage/memory`, `tokens/…`, `memory/over-budget`; AbortedError
 */
export async function featureDashboards(
  model: HookedModel,
  owner: FeatureOwner,
  sequences: readonly ArrayLike<number>[],
  options: DashboardOptions = {},
): Promise<FeatureDashboards> {
  const { skip = 0, quantiles = QUANTILES, weightTokens = 10, text, keptBytes = 256 * 2 ** 20 } = options;
  const settled = settle(options, quantiles, weightTokens);
  const origin = originOf(model, owner);
  const features = checkFeatures(origin, options.features).sort();
  const places = new TokenPlaces(sequences, skip);
  const passes = new FiringPasses(model, { owner, features, places, keptBytes, passes: 3 }, options);

  const tally = new FeatureTally(features.length, places.count);
  const top = new TopExamples(places, features.length, settled.top, settled.window);
  await passes.pass((block) => {
    tally.add(block);
    eachFiring(block, (feature, value, place) => {
      if (places.repeats[place] === 0) top.offer(feature, value, place);
    });
  });
  const intervals = new IntervalExamples(tally);
  const histograms = new ValueHistograms(tally, settled.bins);
  await passes.pass((block) =>
    eachFiring(block, (feature, value, place) => {
      intervals.offer(feature, value, place, places.repeats[place] === 0);
      histograms.offer(feature, value);
    }),
  );
  const examplesOf = (feature: number): { readonly place: number }[] => [
    ...top.of(feature),
    ...intervals.of(feature).flatMap(({ examples }) => examples),
  ];
  const windows = new ExampleWindows(places, features.length, examplesOf, settled.window);
  await passes.pass((block) => windows.add(block));

  const weights = { ...options, onProgress: undefined, count: weightTokens };
  return new FeatureDashboards({
    origin,
    features,
    places,
    tally,
    top,
    intervals,
    histograms,
    windows,
    quantiles,
    text,
    ...(weightTokens > 0 ? await weightsOf(model, owner, origin, features, weights) : {}),
  });
}

/** Host bytes of the running figures of so many features, windows of their examples among them, whatever the sequences. */
export function dashboardBytes(
  features: number,
  { top = 20, window = 5, bins = 50 }: Pick<DashboardOptions, 'top' | 'window' | 'bins'> = {},
): number {
  const perExample = 4 * (2 * window + 1) + 8;
  const intervals = (TARGETS - 1) * (2 * 8 + 1) + 4 * BANDS;
  return features * (8 * top + intervals + 4 * FINER * bins + (top + TARGETS) * perExample + 28);
}

async function weightsOf(
  model: HookedModel,
  owner: FeatureOwner,
  { kind }: FeatureOrigin,
  features: Uint32Array,
  options: RunControls & { readonly count: number },
): Promise<{ readonly logits?: FeatureWeights; readonly deEmbedding?: FeatureWeights }> {
  return {
    ...(isWriter(owner) ? { logits: await featureLogits(model, owner, features, options) } : {}),
    ...(kind === 'sae' ? {} : { deEmbedding: await deEmbedding(model, owner, features, options) }),
  };
}

type FeatureWeights = Awaited<ReturnType<typeof featureLogits>>;

function eachFiring(
  { places, rowStarts, columns, values }: Parameters<FeatureTally['add']>[0],
  take: (feature: number, value: number, place: number) => void,
): void {
  for (let row = 0; row < places.length; row++)
    for (let e = rowStarts[row] as number; e < (rowStarts[row + 1] as number); e++)
      take(columns[e] as number, values[e] as number, places[row] as number);
}

function settle(
  { top = 20, window = 5, bins = 50 }: DashboardOptions,
  quantiles: readonly number[],
  weightTokens: number,
): Settled {
  const ranges = [
    ['top', top, 1, 1000],
    ['window', window, 0, 1000],
    ['bins', bins, 1, 10_000],
    ['weightTokens', weightTokens, 0, 64],
  ] as const;
  const odd = ranges.find(([, value, least, most]) => !(Number.isInteger(value) && value >= least && value <= most));
  const share = quantiles.find((each) => !(each >= 0 && each <= 1));
  if (odd || share !== undefined)
    throw new LimnError(
      'usage/feature-dashboards',
      odd
        ? `A dashboard's ${odd[0]} is a whole number from ${odd[2]} to ${odd[3]}; given ${String(odd[1])}.`
        : `Quantiles are shares from 0 to 1; given ${String(share)}.`,
      { details: odd ? { option: odd[0], given: odd[1] } : { option: 'quantiles', given: share } },
    );
  return { top, window, bins };
}
