// Numbers and names as the page of features has them, and the circuit in a sentence.
import { percent, shown } from '../markdown-table.mjs';
import type { CaseFinding, FoundFeature } from './study.mjs';

/** A share of the metric. */
export const share = (value: number): string => shown(value, 2);
/** One number, or the mean and the range of several. */
export function spread(values: readonly number[]): string {
  const middle = values.reduce((a, b) => a + b, 0) / values.length;
  return values.length === 1
    ? share(middle)
    : `${share(middle)} (${share(Math.min(...values))} to ${share(Math.max(...values))})`;
}
export const headName = ({ layer, head }: { readonly layer: number; readonly head: number }): string =>
  `${layer}.${head}`;
const featureName = ({ layer, feature }: FoundFeature): string => `tc${layer}[${feature}]`;

/** Which features stand where: by layer and the role of their largest effects. */
export function circuitSentence({ features, circuitHeads, heads, id }: CaseFinding): string {
  const groups = new Map<string, FoundFeature[]>();
  for (const feature of features) {
    const place = `layer ${feature.layer} at the ${feature.roles[0]?.role ?? 'last'} token`;
    groups.set(place, [...(groups.get(place) ?? []), feature]);
  }
  const size = (list: readonly FoundFeature[]): number => list.reduce((sum, { effect }) => sum + Math.abs(effect), 0);
  const total = size(features);
  const parts = [...groups]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([place, list]) => {
      const names = list.slice(0, 4).map(featureName);
      const more = list.length > names.length ? ' and others' : '';
      return `${list.length} of ${place} (${names.join(', ')}${more}; ${percent(size(list) / total, 0)} of the summed effects)`;
    });
  const source = id === 'sva' ? 'subject' : 'start year';
  const movers = circuitHeads.map(({ layer, head }) => {
    const found = heads.find((each) => each.layer === layer && each.head === head);
    return `${headName({ layer, head })} (looks at the ${source} with ${shown(found?.attention ?? 0, 2)})`;
  });
  return `**The circuit**: ${movers.length === 0 ? 'no head alone matters' : `heads ${movers.join(', ')}`}; ${features.length} features: ${parts.join('; ')}.`;
}
