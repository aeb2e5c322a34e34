// Dashboards of many features, kept in columns: 24,576 of them are 150 MB so, and several times that as objects.
import type { ActivationBand, FeatureDashboard, DashboardExample, ScoredTokens } from './dashboard.js';
import type { FeatureOrigin } from './feature-owner.js';
import type { FeatureTally } from './feature-tally.js';
import type { IntervalExamples } from './interval-examples.js';
import type { TokenPlaces } from './token-places.js';
import type { TopExamples } from './top-examples.js';
import type { ValueHistograms } from './value-histogram.js';
import type { ExampleWindows } from './example-windows.js';

/** What dashboards are made of; features by their number in `features`. */
export interface DashboardParts {
  readonly origin: FeatureOrigin;
  readonly features: Uint32Array;
  readonly places: TokenPlaces;
  readonly tally: FeatureTally;
  readonly top: TopExamples;
  readonly intervals: IntervalExamples;
  readonly histograms: ValueHistograms;
  readonly windows: ExampleWindows;
  readonly quantiles: readonly number[];
  readonly text?: ((token: number) => string) | undefined;
  readonly logits?: readonly ScoredTokens[] | undefined;
  readonly deEmbedding?: readonly ScoredTokens[] | undefined;
}

/** The dashboards of some features of one owner; each is put together when it is asked for. */
export class FeatureDashboards implements Iterable<FeatureDashboard> {
  readonly #slots: ReadonlyMap<number, number>;

  /** @internal */
  constructor(private readonly parts: DashboardParts) {
    this.#slots = new Map(Array.from(parts.features, (feature, slot) => [feature, slot]));
  }

  /** Whose features they are. */
  get origin(): FeatureOrigin {
    return this.parts.origin;
  }

  /** Their numbers. */
  get features(): readonly number[] {
    return [...this.parts.features];
  }

  /** Scored tokens. */
  get tokens(): number {
    return this.parts.tally.tokens;
  }

  /** One of them; undefined for a feature that was not asked for. */
  of(feature: number): FeatureDashboard | undefined {
    const slot = this.#slots.get(feature);
    return slot === undefined ? undefined : this.#at(slot, feature);
  }

  /** One after the other. */
  *[Symbol.iterator](): Iterator<FeatureDashboard> {
    for (const [feature, slot] of this.#slots) yield this.#at(slot, feature);
  }

  #at(slot: number, feature: number): FeatureDashboard {
    const { origin, tally, top, intervals, histograms, quantiles, logits, deEmbedding } = this.parts;
    const fired = tally.fired(slot);
    const bands = intervals.of(slot);
    const isRepeated = this.#repeats(bands.flatMap(({ examples }) => examples.map(({ place }) => place)));
    return {
      origin,
      feature,
      tokens: tally.tokens,
      fired,
      frequency: fired / tally.tokens,
      min: tally.min(slot),
      max: tally.max(slot),
      quantiles: quantiles.map((share) => ({ share, value: histograms.quantile(slot, share) })),
      histogram: histograms.of(slot),
      top: top.of(slot).map(({ value, place }) => this.#example(slot, value, place, false)),
      bands: bands.map(({ from, to, tokens, examples }): ActivationBand => ({
        from,
        to,
        share: tokens / tally.tokens,
        examples: examples.map(({ value, place }) => this.#example(slot, value, place, isRepeated(place))),
      })),
      ...(logits ? { logits: this.#named(logits[slot] as ScoredTokens) } : {}),
      ...(deEmbedding ? { deEmbedding: this.#named(deEmbedding[slot] as ScoredTokens) } : {}),
    };
  }

  /** Whether a place of a list has the context of an earlier one in it. */
  #repeats(list: readonly number[]): (place: number) => boolean {
    const { places, windows } = this.parts;
    return (place) =>
      list.slice(0, list.indexOf(place)).some((other) => places.sameContext(place, other, windows.reach));
  }

  #example(slot: number, value: number, place: number, repeated: boolean): DashboardExample {
    const { places, windows, text } = this.parts;
    const [from, to] = places.window(place, windows.reach);
    const sequence = places.sequenceOf(place);
    const tokens = [...places.ids.subarray(from, to)];
    return {
      sequence,
      position: place - (places.starts[sequence] as number),
      value,
      tokens,
      ...(text ? { texts: tokens.map(text) } : {}),
      activations: windows.of(slot, place, to - from),
      at: place - from,
      repeated,
    };
  }

  #named({ most, least }: ScoredTokens): ScoredTokens {
    const { text } = this.parts;
    if (!text) return { most, least };
    const named = (list: ScoredTokens['most']): ScoredTokens['most'] =>
      list.map((each) => ({ ...each, text: text(each.token) }));
    return { most: named(most), least: named(least) };
  }
}
