// Dashboards of the features of a graph, from a folder that `limn features dashboards` wrote.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import {
  featuresFromJson,
  type FeatureGraphNode,
  type FeatureGraphRecord,
  type FeatureRecord,
  type FeaturesRecord,
} from '@limn/report';

/** Dashboards that a page of a graph has at most. */
const MOST = 1000;

/** The folder that is read where `--dashboards` does not name one. */
export const dashboardsBeside = (transcoders: string): string | undefined => {
  const folder = path.join(transcoders, 'dashboards');
  return existsSync(path.join(folder, 'result.json')) ? folder : undefined;
};

/**
 * Dashboards of a graph's features from a folder; nothing where there is none. `note` is told of how many features it has none.
 * @throws LimnError `data/dashboards` for a folder without a record, and one without a feature of the graph; `data/dashboards-foreign` for one
 * of other weights than the graph's; ReportError `data/record-…`
 */
export async function graphDashboards(
  { nodes, provenance }: Pick<FeatureGraphRecord, 'nodes' | 'provenance'>,
  folder: string | undefined,
  note: (line: string) => void,
): Promise<Pick<FeatureGraphRecord, 'features'>> {
  if (folder === undefined) return {};
  const record = await readDashboardsOf(folder, provenance?.model.weightsSha256);
  const { features, without } = dashboardsOfNodes(record, nodes);
  if (features.length === 0)
    throw new LimnError('data/dashboards', `${folder} has no dashboard of a feature of this graph`, {
      details: { folder },
      hint: 'make them with `limn features dashboards --of-graph GRAPH --out DIR`',
    });
  if (without > 0)
    note(`${folder} has dashboards of ${features.length} of the graph’s features, and none of ${without}`);
  return { features };
}

/**
 * The record of a folder.
 * @throws LimnError `data/dashboards` for a folder without one, `data/dashboards-foreign` for one of other weights; ReportError `data/record-…`
 */
async function readDashboardsOf(folder: string, weightsSha256?: string): Promise<FeaturesRecord> {
  const file = path.join(folder, 'result.json');
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new LimnError('data/dashboards', `${file} cannot be read: ${(cause as Error).message}`, {
      cause,
      details: { file },
      hint: 'give a folder that `limn features dashboards` wrote',
    });
  }
  const record = featuresFromJson(text);
  const { name, weightsSha256: own } = record.provenance.model;
  if (weightsSha256 === undefined || own === weightsSha256) return record;
  throw new LimnError(
    'data/dashboards-foreign',
    `${file} has dashboards of other weights (${name}, ${own.slice(0, 12)}…) than the graph’s, ${weightsSha256.slice(0, 12)}…`,
    { details: { file, own, weightsSha256 }, hint: 'make dashboards with the same --model and --transcoders' },
  );
}

/** Those of features that are nodes, the most influential first where there are many. */
function dashboardsOfNodes(
  { features }: Pick<FeaturesRecord, 'features'>,
  nodes: readonly FeatureGraphNode[],
): { readonly features: readonly FeatureRecord[]; readonly without: number } {
  const known = new Map(
    features
      .filter(({ origin }) => origin.kind === 'transcoder' || origin.kind === 'cross-layer')
      .map((feature) => [`${feature.origin.layer} ${feature.feature}`, feature]),
  );
  const wanted = new Set(
    nodes
      .filter(({ kind }) => kind === 'feature')
      .sort((a, b) => (a.influence ?? 0) - (b.influence ?? 0))
      .map(({ layer, feature }) => `${layer} ${feature}`),
  );
  const found = [...wanted].flatMap((name) => known.get(name) ?? []);
  return { features: found.slice(0, MOST), without: wanted.size - found.length };
}
