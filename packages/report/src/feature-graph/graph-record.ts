// What is written down about an attribution graph: nodes, edges, how far they add up, and what its readers pinned and grouped.
import { featureSchema } from '../features/feature-record.js';
import { provenanceSchema } from '../provenance-record.js';
import { SCHEMA_NAME, SCHEMA_VERSION, checkAgainst, fromJson, toJson } from '../record-text.js';
import { either, finite, list, object, oneOf, orNull, row, text, whole, yesNo } from '../schema.js';
import type { Infer, Json } from '../schema.js';
import { graphFaults } from './graph-faults.js';

const name = text({ longest: 1000 });
const MOST_NODES = 20_000;
const MOST_EDGES = 300_000;

/** The fields are those of a `GraphNode` of @limn/transcoders; which of them there are depends on the kind. */
const node = object(
  {
    /** The `node_id` of graph files; no two nodes have the same. */
    id: name,
    kind: oneOf('feature', 'error', 'skip', 'token', 'position', 'bias', 'output'),
  },
  {
    layer: whole(0, 10_000),
    position: whole(0, 100_000),
    feature: whole(),
    activation: finite,
    /** The id of a token or of an output's token. */
    token: whole(),
    /** Of a bias: 'b_dec', 'ln1.beta', … */
    bias: name,
    /** What is explained, of an output; what a feature stands for. */
    label: text({ longest: 2000 }),
    /** Of an output: the number that its edges sum to, its share of the influence, and its probability. */
    value: finite,
    weight: finite,
    probability: finite,
    /** Cumulative: the share of all influence that nodes up to this one's rank have. Small is important. */
    influence: finite,
  },
);

/** Source and target as places in `nodes`, and the signed weight; then the cumulative share of the edge's rank, if it is known. */
const edge = row([whole(), whole(), finite], [finite]);

/** An edge split by the heads of one attention layer; `past` is what does not run through them. The parts sum to the edge. */
const split = object({ edge: whole(), layer: whole(), heads: list(finite, { most: 1000 }), past: finite });

/** The fields of an `EffectSummary` of @limn/transcoders. */
const effect = object({
  depth: either(oneOf('output', 'all'), whole(0, 10_000)),
  count: whole(),
  spearman: orNull(finite),
  signAgreement: orNull(finite),
  cosine: orNull(finite),
  nmse: orNull(finite),
});

const graphSchema = object(
  {
    schema: oneOf(SCHEMA_NAME),
    version: oneOf(SCHEMA_VERSION),
    kind: oneOf('feature-graph'),
    title: text({ longest: 500 }),
    provenance: provenanceSchema,
    /** The tokens of the prompt. */
    prompt: list(name, { most: 5000 }),
    layers: whole(1, 1000),
    nodes: list(node, { most: MOST_NODES }),
    edges: list(edge, { most: MOST_EDGES }),
    scores: object({ replacement: finite, completeness: finite }),
    /** The worst residual of all targets, relative, and what it may be: edges into a node sum to its value. */
    accounting: object({ worst: finite, tolerance: finite }, { targets: whole() }),
    /** Where the page's sliders begin. */
    pruning: object({ nodeThreshold: finite, edgeThreshold: finite }),
  },
  {
    /** Features that fired; those that are no nodes are part of the errors. */
    activeFeatures: whole(),
    /** Nodes and edges of the graph before it was cut down to those of this record. */
    whole: object({ nodes: whole(), edges: whole() }),
    /** Layers whose MLP no dictionary explains. */
    withoutDictionary: list(whole(0, 10_000), { most: 1000 }),
    /** What readers did, as graph files keep it: a supernode is its name, then the ids of its nodes. */
    qParams: object(
      { pinnedIds: list(name, { most: MOST_NODES }), supernodes: list(list(name, { most: 2000 }), { most: 1000 }) },
      { clickedId: orNull(name) },
    ),
    splits: list(split, { most: 20_000 }),
    /** Effects that the graph predicts beside those measured, by depth: of its features, and of others for comparison. */
    effects: list(object({ name, rows: list(effect, { most: 1000 }) }, { control: yesNo }), { most: 50 }),
    /** Dashboards of some of its features. */
    features: list(featureSchema, { most: 5000 }),
    /** Of the graph file: what its model and the graph itself are called. */
    scan: name,
    slug: text({ longest: 200 }),
  },
);

/**
 * The record of an attribution graph.
 * @useDeclaredType
 */
export type FeatureGraphRecord = Infer<typeof graphSchema>;
/**
 * A node of the graph.
 * @useDeclaredType
 */
export type FeatureGraphNode = Infer<typeof node>;
/**
 * Predicted beside measured effects at one depth.
 * @useDeclaredType
 */
export type FeatureEffectRow = Infer<typeof effect>;
/**
 * An edge split by heads.
 * @useDeclaredType
 */
export type FeatureGraphSplit = Infer<typeof split>;

/** The JSON Schema of an attribution graph's record, for other tools. */
export const featureGraphJsonSchema: Readonly<Record<string, Json>> = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'limn feature graph',
  ...graphSchema.json,
};

/**
 * Returns `value` typed.
 * @throws ReportError `data/record-invalid` with every fault's JSON Pointer (the first 50), `data/record-version`
 */
export function checkFeatureGraph(value: unknown): FeatureGraphRecord {
  return checkAgainst(graphSchema, value, graphFaults);
}

/**
 * Checked, with access tokens masked, as JSON text with a final newline.
 * @throws ReportError as `checkFeatureGraph`
 */
export function featureGraphToJson(graph: FeatureGraphRecord): string {
  return toJson(checkFeatureGraph(graph));
}

/**
 * Parses and checks.
 * @throws ReportError `data/record-json` when the text is not JSON, and as `checkFeatureGraph`
 */
export function featureGraphFromJson(json: string): FeatureGraphRecord {
  return checkFeatureGraph(fromJson(json));
}
