// A sparsity sweep as a study on a small model gives it: three sources, five sparsities, two seeds, three layers, from a fixed seed.
import type { DictionariesRecord, DictionaryPoint } from '../src/index.js';
import { uniform } from './features-sample.js';
import { provenanceSample } from './provenance-sample.js';

/** `text` replaces every free text. */
export function dictionariesSample({
  text = (original) => original,
  layers = 3,
}: { readonly text?: (original: string, index: number) => string; readonly layers?: number } = {}): DictionariesRecord {
  const next = uniform(5);
  let serial = 0;
  const say = (original: string): string => text(original, serial++);
  const costs = Array.from({ length: layers }, (_, layer) => [0.84, 0.12, 0.41][layer % 3] ?? 0);
  const sources = [
    ['transcoder', 0.5],
    ['sae', 0.65],
    ['neurons', 1.6],
  ] as const;
  const points = costs.flatMap((cost, layer) =>
    sources.flatMap(([source, loss]) =>
      [2, 4, 8, 16, 32].flatMap((k) =>
        (source === 'neurons' ? [0] : [0, 1]).map((seed): DictionaryPoint => {
          const lost = Math.min(1.2, (loss * (0.9 + 0.2 * next())) / Math.sqrt(k));
          return {
            name: `${source} of layer ${layer}, k = ${k}, seed ${seed}`,
            source,
            layer,
            setting: say(`k = ${k}`),
            ...(source === 'neurons' ? {} : { seed, features: 512, deadShare: 0.08 * next(), live: 480 }),
            l0: source === 'neurons' ? k : k * (0.8 + 0.2 * next()),
            fvu: lost * 0.7,
            loss: 2.31 + lost * cost,
            divergence: lost * cost * 0.9,
            agreement: 1 - lost * 0.3,
            recovered: {
              mean: { loss: 1 - lost, divergence: 1 - lost * 0.9 },
              zero: { loss: 1 - lost * 0.5, divergence: 1 - lost * 0.5 },
            },
            interpretability: {
              f1: { mean: 0.5, low: 0.47, high: 0.53 },
              nullF1: { mean: 0.16, low: 0.15, high: 0.17 },
              aboveNull: { mean: 0.34 - loss / 8, low: 0.3 - loss / 8, high: 0.38 - loss / 8 },
              scored: 400,
            },
            ...(source === 'transcoder' && k === 16 && seed === 0 ? { recommended: true } : {}),
          };
        }),
      ),
    ),
  );
  const ablated = (cost: number, of: readonly number[]): DictionariesRecord['layers'][number] => ({
    layers: of,
    cost,
    mean: { loss: 2.31 + cost, divergence: cost * 0.95, agreement: 0.6 },
    zero: { loss: 2.31 + cost * 2, divergence: cost * 1.9, agreement: 0.4 },
  });
  const joint = points.find(({ recommended }) => recommended);
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'dictionaries',
    title: say('Transcoders of pocket over five sparsities'),
    provenance: provenanceSample(say),
    predictions: 204_000,
    loss: 2.31,
    corpus: say('pocket’s held-out stories'),
    rule: say('the least L0 that recovers .95'),
    layers: costs.map((cost, layer) => ablated(cost, [layer])),
    points,
    ...(joint
      ? {
          together: [
            {
              name: say('all recommended'),
              loss: 2.6,
              divergence: 0.3,
              agreement: 0.8,
              recovered: joint.recovered,
              ablations: ablated(
                1.6,
                costs.map((_, layer) => layer),
              ),
            },
          ],
        }
      : {}),
  };
}
