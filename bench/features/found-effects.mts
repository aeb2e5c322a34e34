// What graphs of clean and corrupted prompts say of every feature: its effect as it becomes what it is in the other prompt, its attribution, and how it changes.
import { readFloats } from '@limn/tensor';
import { roleAt } from './cases.mjs';
import type { PairRuns } from './pair-runs.mjs';
import { unitEffects } from './unit-effects.mjs';

/** Means over pairs, by layer, [F] each, in units of the answers' mean logit difference. */
export interface FeatureFigures {
  readonly effect: readonly (readonly number[])[];
  readonly attribution: readonly (readonly number[])[];
  /** Over pairs, of the direct contribution to the answer. */
  readonly variance: readonly (readonly number[])[];
  /** Σ |a − a'|·‖d‖ */
  readonly change: readonly (readonly number[])[];
  /** Mean activation over all tokens of the clean prompts. */
  readonly activation: readonly (readonly number[])[];
  /** Σ over pairs of |effect| by role, of a feature by `featureKey`. */
  readonly byRole: Readonly<Record<string, Readonly<Record<string, number>>>>;
}

export const featureKey = (layer: number, feature: number): string => `${layer}/${feature}`;

/** Over the pairs that circuits are found on. */
export async function featureFigures(runs: PairRuns): Promise<FeatureFigures> {
  const { pairs, dictionaries, sides } = runs;
  const layers = dictionaries.map((_, layer) => layer);
  const [clean, corrupted, direct] = [
    await unitEffects(runs, 'clean', 'total'),
    await unitEffects(runs, 'corrupted', 'total'),
    await unitEffects(runs, 'clean', 'direct'),
  ];
  const activations = { clean: await onHost(runs, 'clean'), corrupted: await onHost(runs, 'corrupted') };
  const norms = await decoderNorms(runs);
  const { T } = sides.clean.tokens;
  const tokens = pairs.reduce((sum, { clean: ids }) => sum + ids.length, 0);
  const fresh = (): number[][] => dictionaries.map(({ config }) => Array.from({ length: config.features }, () => 0));
  const [effect, attribution, directs, squares, change, activation] = [
    fresh(),
    fresh(),
    fresh(),
    fresh(),
    fresh(),
    fresh(),
  ];
  const byRole: Record<string, Record<string, number>> = {};
  for (const layer of layers) {
    const F = dictionaries[layer]?.config.features as number;
    const put = (sums: number[][], f: number, value: number): void => {
      const own = sums[layer] as number[];
      own[f] = (own[f] as number) + value;
    };
    for (const [b, pair] of pairs.entries()) {
      const own = new Map<number, number>();
      for (let position = 0; position < pair.clean.length; position++)
        for (let f = 0; f < F; f++) {
          const i = (b * T + position) * F + f;
          const [a, other] = [activations.clean[layer]?.[i] as number, activations.corrupted[layer]?.[i] as number];
          if (a === 0 && other === 0) continue;
          // Where a feature is silent nothing is known of what it would do: the other prompt's stands for both.
          const units = [
            ...(a > 0 ? [clean[layer]?.[i] as number] : []),
            ...(other > 0 ? [corrupted[layer]?.[i] as number] : []),
          ];
          const moved = ((a - other) * units.reduce((sum, unit) => sum + unit, 0)) / units.length;
          put(effect, f, moved / pairs.length);
          put(change, f, (Math.abs(a - other) * (norms[layer]?.[f] as number)) / pairs.length);
          put(attribution, f, (a * (clean[layer]?.[i] as number)) / pairs.length);
          put(activation, f, a / tokens);
          own.set(f, (own.get(f) ?? 0) + a * (direct[layer]?.[i] as number));
          const roles = (byRole[featureKey(layer, f)] ??= {});
          const role = roleAt(pair, position);
          roles[role] = (roles[role] ?? 0) + Math.abs(moved);
        }
      for (const [f, value] of own) {
        put(directs, f, value / pairs.length);
        put(squares, f, value ** 2 / pairs.length);
      }
    }
  }
  const variance = squares.map((own, layer) =>
    own.map((square, f) => Math.max(0, square - (directs[layer]?.[f] as number) ** 2)),
  );
  return { effect, attribution, variance, change, activation, byRole };
}

/** a [B·T, F] by layer. */
export const onHost = ({ model, sides }: PairRuns, side: 'clean' | 'corrupted'): Promise<Float32Array[]> =>
  Promise.all(
    sides[side].activations.map(async ({ storage }) => (await model.gpu.read(storage, 'f32')) as Float32Array),
  );

/** ‖W_dec[f]‖ by layer. */
async function decoderNorms({ model, dictionaries }: PairRuns): Promise<number[][]> {
  using step = model.gpu.step({ label: 'features: norms' });
  const rows = await Promise.all(dictionaries.map((dictionary) => readFloats(step, dictionary.tensor('wDec'))));
  return rows.map((wDec, layer) => {
    const { features, outputWidth } = (dictionaries[layer] as (typeof dictionaries)[number]).config;
    return Array.from({ length: features }, (_, f) =>
      Math.hypot(...wDec.subarray(f * outputWidth, (f + 1) * outputWidth)),
    );
  });
}
