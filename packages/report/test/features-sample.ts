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
    const max = 1 + 12 * next();
    const home = word();
    const example = (activation: number): FeatureExample => {
      const length = 8 + Math.floor(next() * 14);
      const peak = Math.floor(next() * length);
      return {
        tokens: withoutText ? [] : Array.from({ length }, (_, t) => 1000 + t),
        ...(withoutText ? {} : { texts: Array.from({ length }, (_, t) => say(t === peak ? home : word())) }),
        activations: Array.from({ length }, (_, t) =>
          t === peak ? activation : next() < 0.15 ? activation * next() : 0,
        ),
        at: peak,
        ...(next() < 0.1 ? { repeated: true } : {}),
      };
    };
    const falling = (size: number) =>
      Array.from({ length: 8 }, (_, t) => ({ token: 2000 + t, text: say(word()), value: size * (1 - t / 12) }));
    const label = labels[i % labels.length];
    const layer = i % layers;
    return {
      origin: { kind: 'transcoder', layer, reads: `blocks.${layer}.ln2.hook_normalized`, features: 1_000_000 },
      feature: Math.floor(next() * 512) + 512 * i,
      ...(label ? { label: { text: say(label), author: say('anna'), time: '2026-03-01T12:00:00.000Z' } } : {}),
      frequency: 10 ** (-4 + 3 * next()),
      min: 0,
      max,
      histogram: Array.from({ length: 20 }, (_, b) => Math.floor(4000 * Math.exp(-b / 3) * next())),
      top: Array.from({ length: 9 }, (_, t) => example(max * (1 - t / 40))),
      bands: Array.from({ length: 5 }, (_, b) => ({
        from: (b * max) / 5,
        to: ((b + 1) * max) / 5,
        share: 10 ** (-2 - b / 2),
        examples: Array.from({ length: 4 }, () => example(((b + next()) * max) / 5)),
      })),
      logits: { most: falling(0.8), least: falling(-0.6) },
      deEmbedding: { most: falling(1.4), least: falling(-1.2) },
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
