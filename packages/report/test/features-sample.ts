// Dashboards as they come out for a small model: features of a few layers with examples, bands and logits, from a fixed seed.
import type { FeatureExample, FeatureRecord, FeaturesRecord } from '../src/index.js';
import { provenanceSample } from './provenance-sample.js';

const words =
  ' the| of| year| from| 17| lasted| war| to|35| and| in| a| was| caught| he| she| said|;| although| birds| Paris| capital| not| 40| 1735|ing|ly| model|.|,'.split(
    '|',
  );
const labels = ['two-digit years', '', 'the second name of two', '', 'verbs of saying', '', '', 'after a semicolon'];

/** Lehmer's generator modulo 2³¹ − 1, uniform in [0, 1). */
export function uniform(seed: number): () => number {
  let state = (seed % 2147483646) + 1;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}

/** `text` replaces every free text. */
export interface FeaturesOptions {
  readonly text?: (original: string, index: number) => string;
  readonly count?: number;
  readonly layers?: number;
  readonly withoutText?: boolean;
}

export function featureSamples({
  text = (original) => original,
  count = 40,
  layers = 3,
  withoutText = false,
}: FeaturesOptions = {}): FeatureRecord[] {
  const next = uniform(7);
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const word = (): string => words[Math.floor(next() * words.length)] ?? '';
  return Array.from({ length: count }, (_, i) => {
    const actMax = 1 + 12 * next();
    const home = word();
    const example = (activation: number): FeatureExample => {
      const length = 8 + Math.floor(next() * 14);
      const peak = Math.floor(next() * length);
      return {
        tokens: withoutText ? null : Array.from({ length }, (_, t) => say(t === peak ? home : word())),
        activations: Array.from({ length }, (_, t) =>
          t === peak ? activation : next() < 0.15 ? activation * next() : 0,
        ),
        peak,
        ...(next() < 0.1 ? { repeated: true } : {}),
      };
    };
    const falling = (size: number): { token: string; value: number }[] =>
      Array.from({ length: 8 }, (_, t) => ({ token: say(word()), value: size * (1 - t / 12) }));
    return {
      layer: i % layers,
      feature: Math.floor(next() * 512) + 512 * i,
      label: say(labels[i % labels.length] ?? ''),
      activationFrequency: 10 ** (-4 + 3 * next()),
      actMax,
      histogram: Array.from({ length: 20 }, (_, b) => ({
        from: (b * actMax) / 20,
        to: ((b + 1) * actMax) / 20,
        count: Math.floor(4000 * Math.exp(-b / 3) * next()),
      })),
      top: Array.from({ length: 9 }, (_, t) => example(actMax * (1 - t / 40))),
      bands: Array.from({ length: 5 }, (_, b) => ({
        from: (b * actMax) / 5,
        to: ((b + 1) * actMax) / 5,
        share: 10 ** (-2 - b / 2),
        examples: Array.from({ length: 4 }, () => example(((b + next()) * actMax) / 5)),
      })),
      promoted: falling(0.8),
      suppressed: falling(-0.6),
      deEmbedding: { top: falling(1.4), bottom: falling(-1.2) },
      encoderNorm: 0.8 + next(),
      decoderNorm: 1,
    };
  });
}

export function featuresSample(options: FeaturesOptions = {}): FeaturesRecord {
  const { text = (original: string) => original, withoutText = false } = options;
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'features',
    title: text('Features of pocket', 0),
    provenance: provenanceSample((original, i) => text(original, i)),
    corpus: { tokens: 1_638_400, name: text('pocket’s held-out stories', 1) },
    all: 1536,
    ...(withoutText ? { withoutText } : {}),
    features: featureSamples(options),
  };
}
