// What the circuit's features are: where their effect is, what they fire on in the corpus, and which logits they raise and lower.
import type { HookedModel } from '@limn/hooks';
import { pocketCorpus } from '@limn/pocket';
import { featureDashboards, type Dictionary, type FeatureDashboard } from '@limn/transcoders';
import { positionOf, type Case, type CaseId } from './cases.mjs';
import { featureKey, onHost, type FeatureFigures } from './found-effects.mjs';
import type { PairRuns, Side } from './pair-runs.mjs';
import type { RankedUnit } from './rankings.mjs';
import type { FoundFeature } from './study.mjs';

/** A stream that neither pocket nor the set was trained on. */
const READING_SEED = 4093;
const SEQUENCES = 96;
/** Words listed of each kind. */
const WORDS = 6;

interface PromptKind {
  readonly side: Side;
  readonly number?: string;
}

/** Between which prompts activations are compared. */
export const ACTIVATION_OF: Readonly<
  Record<CaseId, { readonly heading: string; readonly kinds: readonly [PromptKind, PromptKind] }>
> = {
  'greater-than': { heading: 'clean → start 01', kinds: [{ side: 'clean' }, { side: 'corrupted' }] },
  sva: {
    heading: 'singular → plural',
    kinds: [
      { side: 'clean', number: 'singular' },
      { side: 'clean', number: 'plural' },
    ],
  },
};

export async function describeFeatures(
  runs: PairRuns,
  { id, find }: Case,
  features: readonly RankedUnit[],
  figures: FeatureFigures,
  show: (id: number) => string,
): Promise<FoundFeature[]> {
  const { model, dictionaries, sides } = runs;
  const dashboards = await dashboardsOf(model, dictionaries, features, show);
  const activations = { clean: await onHost(runs, 'clean'), corrupted: await onHost(runs, 'corrupted') };
  const found: FoundFeature[] = [];
  for (const { layer, unit, score } of features) {
    const roles = rolesOf(figures, layer, unit);
    const place = { unit, role: roles[0]?.role ?? 'last' };
    const mean = ({ side, number }: PromptKind): number =>
      meanAt(
        activations[side][layer] as Float32Array,
        { find, number, T: sides[side].tokens.T, F: dictionaries[layer]?.config.features as number },
        place,
      );
    const dashboard = dashboards.get(featureKey(layer, unit)) as FeatureDashboard;
    const texts = (side: 'most' | 'least'): string[] =>
      (dashboard.logits?.[side] ?? []).slice(0, WORDS).map(({ token }) => show(token));
    found.push({
      layer,
      feature: unit,
      effect: score,
      attribution: figures.attribution[layer]?.[unit] as number,
      roles,
      activation: ACTIVATION_OF[id].kinds.map((kind) => mean(kind)) as [number, number],
      firesOn: mostFrequent(dashboard.top.map(({ texts: words = [], at }) => words[at] ?? '')),
      raises: texts('most'),
      lowers: texts('least'),
    });
  }
  return found;
}

/** The roles of its largest effects, those of at least a tenth. */
function rolesOf({ byRole }: FeatureFigures, layer: number, feature: number): FoundFeature['roles'] {
  const sums = Object.entries(byRole[featureKey(layer, feature)] ?? {});
  const total = sums.reduce((sum, [, size]) => sum + size, 0);
  return sums
    .map(([role, size]) => ({ role, share: size / total }))
    .filter(({ share }) => share >= 0.1)
    .sort((a, b) => b.share - a.share);
}

async function dashboardsOf(
  model: HookedModel,
  dictionaries: readonly Dictionary[],
  features: readonly RankedUnit[],
  show: (id: number) => string,
): Promise<Map<string, FeatureDashboard>> {
  const corpus = pocketCorpus(READING_SEED);
  const { sequences: rows } = corpus.options;
  const sequences = Array.from({ length: SEQUENCES }, (_, i) => corpus.sequence(Math.floor(i / rows), i % rows).tokens);
  const all = new Map<string, FeatureDashboard>();
  for (const [layer, dictionary] of dictionaries.entries()) {
    const own = features.filter((each) => each.layer === layer).map(({ unit }) => unit);
    if (own.length === 0) continue;
    const set = await featureDashboards(model, dictionary, sequences, { features: own, text: show });
    for (const dashboard of set) all.set(featureKey(layer, dashboard.feature), dashboard);
  }
  return all;
}

function mostFrequent(words: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  return [...counts]
    .sort((a, b) => b[1] - a[1])
    .slice(0, WORDS)
    .map(([word]) => word);
}

/** Mean activation at a role over the pairs that have it; `activations` [B·T, F]. */
function meanAt(
  activations: Float32Array,
  {
    find,
    number,
    T,
    F,
  }: { readonly find: Case['find']; readonly number: string | undefined; readonly T: number; readonly F: number },
  { unit, role }: { readonly unit: number; readonly role: string },
): number {
  const places = find.flatMap((pair, b) => {
    const at = positionOf(pair, role);
    return at < 0 || (number !== undefined && pair.labels['number'] !== number) ? [] : [b * T + at];
  });
  return places.reduce((sum, place) => sum + (activations[place * F + unit] as number), 0) / places.length;
}
