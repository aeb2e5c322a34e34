// The record of dashboards, and the files of feature pages that graph viewers open.
import type { FeaturesRecord, Provenance } from '@limn/report';
import {
  featurePage,
  withoutText,
  type FeatureEncoder,
  type FeatureDashboard,
  type FeatureDashboards,
  type FeatureJson,
  type FeatureLabels,
} from '@limn/transcoders';

/** Dashboards of some features of one dictionary. */
export interface ReadFeatures {
  readonly dictionary: FeatureEncoder;
  readonly dashboards: FeatureDashboards;
  /** Numbers of those that were chosen. */
  readonly chosen: readonly number[];
  readonly labels: FeatureLabels;
}

/** The `top` features that fire most strongly, in the order of their numbers; all where it is missing. */
export function strongestOf(dashboards: FeatureDashboards, top: number | undefined): readonly number[] {
  if (top === undefined) return dashboards.features;
  return Array.from(dashboards, ({ feature, max }) => ({ feature, max }))
    .sort((a, b) => b.max - a.max || a.feature - b.feature)
    .slice(0, top)
    .map(({ feature }) => feature)
    .sort((a, b) => a - b);
}

const dashboardOf = ({ dashboards }: ReadFeatures, feature: number, bare: boolean): FeatureDashboard => {
  const found = dashboards.of(feature) as FeatureDashboard;
  return bare ? withoutText(found) : found;
};

/** Dashboards of a record at most; pages with more are slow to open. */
export const MOST_RECORDED = 1000;

/** The record: of more features than a page takes those that fire most strongly. */
export function dashboardsRecord(
  read: readonly ReadFeatures[],
  {
    title,
    corpus,
    bare,
    provenance,
  }: {
    readonly title: string;
    readonly corpus: FeaturesRecord['corpus'];
    readonly bare: boolean;
    readonly provenance: Provenance;
  },
): FeaturesRecord {
  const all = read.flatMap((each) =>
    each.chosen.map((feature) => ({ each, feature, max: (each.dashboards.of(feature) as FeatureDashboard).max })),
  );
  const recorded =
    all.length <= MOST_RECORDED
      ? all
      : all
          .map((entry, i) => ({ ...entry, i }))
          .sort((a, b) => b.max - a.max || a.i - b.i)
          .slice(0, MOST_RECORDED)
          .sort((a, b) => a.i - b.i);
  return {
    schema: 'limn.result',
    version: 1,
    kind: 'features',
    title,
    provenance,
    corpus,
    features: recorded.map(({ each, feature }) => {
      const label = each.labels.get(feature);
      return { ...dashboardOf(each, feature, bare), ...(label ? { label } : {}) };
    }),
    withoutText: bare,
    all: read.reduce((sum, { dictionary }) => sum + dictionary.config.features, 0),
  };
}

/** Pages by layer, one layer at a time; a feature that was not chosen has none. */
export function* featurePages(
  read: readonly ReadFeatures[],
  { set, bare }: { readonly set: string; readonly bare: boolean },
): Generator<readonly [layer: number, pages: readonly (FeatureJson | undefined)[]]> {
  for (const each of read) {
    const { layer, features } = each.dictionary.config;
    const pages = Array.from<FeatureJson | undefined>({ length: features });
    for (const feature of each.chosen)
      pages[feature] = featurePage(dashboardOf(each, feature, bare), { transcoderId: `${set} layer ${layer}` });
    yield [layer, pages];
  }
}
