// What is written down about an attribution graph: nodes, edges, how far they add up, and what its readers pinned and grouped.
import { featureSchema } from '../features/feature-record.js';
import { provenanceSchema } from '../provenance-record.js';
import { SCHEMA_NAME, SCHEMA_VERSION, checkAgainst, fromJson, toJson } from '../record-text.js';
import { either, finite, list, object, oneOf, orNull, row, text, whole, yesNo } from '../schema.js';
import type { Infer, Json } from '../schema.js';
import { graphFaults } from './graph-faults.js';
import { graphFields, outputFields } from './graph-schema-parts.js';
import { importedSchema } from './imported-record.js';

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
    /** Of a bias: 'b_dec', 'ln1.beta', … */
    bias: name,
    /** Of a token its id, of a feature what it stands for, of an output all of them. */
    ...outputFields,
    /** Cumulative: the share of all influence that nodes up to this one's rank have. Small is important. */
    influence: finite,
  },
);

/** Source and target as places in `nodes`, and the signed weight; then the cumulative share of the edge's rank, if it is known. */
const edge = row([whole(), whole(), finite], [finite]);

/** An edge split by the heads of one attention layer; `past` is what does not run through them. The parts sum to the edge. */
const split = object({ edge: whole(), layer: whole(), heads: list(finite, { most: 1000 }), past: finite });

/**
 * One score of a head before the softmax, as a table of terms: those of some sources of the query and of the key, and in the last row and
 * column those of all others together. The entries sum to the score.
 */
const headScore = object(
  {
    layer: whole(0, 10_000),
    head: whole(0, 10_000),
    /** Positions of the token that looks and of the token that is looked at. */
    query: whole(),
    key: whole(),
    score: finite,
    /** What is named in the table; those that are nodes of the graph have the same ids. */
    queries: list(node, { most: 100 }),
    keys: list(node, { most: 100 }),
    /** [keys + 1][queries + 1] */
    terms: list(list(finite, { most: 101 }), { most: 101 }),
  },
  {
    /** How much the head looks at each position up to the query's, after the softmax. */
    attention: list(finite, { most: 5000 }),
  },
);

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
    title: graphFields.title,
    /** The tokens of the prompt. */
    prompt: list(name, { most: 5000 }),
    layers: graphFields.layers,
    nodes: list(node, { most: MOST_NODES }),
    edges: list(edge, { most: MOST_EDGES }),
    scores: graphFields.scores,
    /** Where the page's sliders begin. */
    pruning: object({ nodeThreshold: finite, edgeThreshold: finite }),
  },
  {
    /** Of a graph that was made here; one from a file has `imported` instead. */
    provenance: provenanceSchema,
    imported: importedSchema,
    accounting: graphFields.accounting,
    activeFeatures: graphFields.activeFeatures,
    whole: graphFields.whole,
    withoutDictionary: graphFields.withoutDictionary,
    /** What readers did, as graph files keep it: a supernode is its name, then the ids of its nodes; a clerp is an id and what its node is called. */
    qParams: object(
      { pinnedIds: list(name, { most: MOST_NODES }), supernodes: list(list(name, { most: 2000 }), { most: 1000 }) },
      { clickedId: orNull(name), clerps: list(row([name, name], []), { most: MOST_NODES }) },
    ),
    splits: list(split, { most: 20_000 }),
    /** Why heads look where they look. */
    headScores: list(headScore, { most: 200 }),
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
/**
 * One score of a head, by the sources of its query and its key.
 * @useDeclaredType
 */
export type FeatureGraphHeadScore = Infer<typeof headScore>;

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
