// How well predicted effects are the measured ones, by the number of layers between a change and what it moves.
import { meanRanks, pearson } from '@limn/hooks';
import type { FeatureEffect, FeatureEffects } from './feature-effect.js';
import type { GraphTarget } from './graph-target.js';

/** Agreement of predicted and measured effects. */
export interface EffectSummary {
  /** Layers between the lowest change and the targets; `output` for outputs, `all` for everything together. */
  readonly depth: number | 'output' | 'all';
  /** Pairs of a set of changes and a target behind it. */
  readonly count: number;
  /** Spearman's ρ; null for fewer than two, or where one side is constant. */
  readonly spearman: number | null;
  /** Share of pairs with the same sign, of those where neither is 0; null if there are none. */
  readonly signAgreement: number | null;
  /** Cosine between the lists; null where one is all zero. */
  readonly cosine: number | null;
  /** Σ (predicted − measured)²/Σ measured²; null where nothing moved. */
  readonly nmse: number | null;
}

/** Agreement of two lists. */
export function agreementOf(predicted: ArrayLike<number>, measured: ArrayLike<number>): Omit<EffectSummary, 'depth'> {
  let [pm, pp, mm, off, same, signed] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < predicted.length; i++) {
    const [p, m] = [predicted[i] as number, measured[i] as number];
    pm += p * m;
    pp += p * p;
    mm += m * m;
    off += (p - m) ** 2;
    if (p === 0 || m === 0) continue;
    signed++;
    if (p > 0 === m > 0) same++;
  }
  return {
    count: predicted.length,
    spearman: pearson(meanRanks(predicted), meanRanks(measured)),
    signAgreement: signed === 0 ? null : same / signed,
    cosine: pp === 0 || mm === 0 ? null : pm / Math.sqrt(pp * mm),
    nmse: mm === 0 ? null : off / mm,
  };
}

/**
 * Agreement over all sets by depth, of targets that a change can reach: layers behind it and at no earlier position; changed features
 * themselves are left out.
 */
export function summarizeEffects(
  { targets, layers, effects }: FeatureEffects,
  predicted: 'direct' | 'total' = 'total',
): EffectSummary[] {
  const lists = new Map<EffectSummary['depth'], { readonly p: number[]; readonly m: number[] }>();
  const put = (depth: EffectSummary['depth'], p: number, m: number): void => {
    const list = lists.get(depth) ?? { p: [], m: [] };
    lists.set(depth, list);
    list.p.push(p);
    list.m.push(m);
  };
  for (const effect of effects)
    for (const [t, target] of targets.entries()) {
      const depth = depthOf(effect, target, layers);
      if (depth === undefined) continue;
      const [p, m] = [effect[predicted][t] as number, effect.measured[t] as number];
      put(depth, p, m);
      put('all', p, m);
    }
  const order = (depth: EffectSummary['depth']): number =>
    depth === 'all' ? Infinity : depth === 'output' ? 1e9 : depth;
  return [...lists]
    .sort(([a], [b]) => order(a) - order(b))
    .map(([depth, { p, m }]) => ({ depth, ...agreementOf(p, m) }));
}

function depthOf({ changes }: FeatureEffect, target: GraphTarget, layers: number): number | 'output' | undefined {
  const reaching = changes.filter(({ position }) => position <= target.position);
  if (reaching.length === 0) return undefined;
  const first = Math.min(...reaching.map(({ layer }) => layer));
  if (target.kind !== 'feature') return layers > first ? 'output' : undefined;
  const changed = changes.some(
    ({ layer, position, feature }) =>
      layer === target.layer && position === target.position && feature === target.feature,
  );
  return changed || target.layer <= first ? undefined : target.layer - first;
}
