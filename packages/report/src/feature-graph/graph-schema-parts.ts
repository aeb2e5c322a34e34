// Fields that the record of a graph and its graph file have in common.
import { finite, list, object, text, whole } from '../schema.js';

/** Of the graph. */
export const graphFields = {
  title: text({ longest: 500 }),
  layers: whole(1, 1000),
  scores: object({ replacement: finite, completeness: finite }),
  /** The worst residual of all targets, relative, and what it may be: edges into a node sum to its value. Files of others do not say it. */
  accounting: object({ worst: finite, tolerance: finite }, { targets: whole() }),
  /** Features that fired; those that are no nodes are part of the errors. */
  activeFeatures: whole(),
  /** Nodes and edges of the graph before it was cut down to those of this record. */
  whole: object({ nodes: whole(), edges: whole() }),
  /** Layers whose MLP no dictionary explains. */
  withoutDictionary: list(whole(0, 10_000), { most: 1000 }),
};

/** Of an output. */
export const outputFields = {
  /** The id of its token. */
  token: whole(),
  /** What is explained. */
  label: text({ longest: 2000 }),
  /** The number that its edges sum to, its share of the influence, and its probability. */
  value: finite,
  weight: finite,
  probability: finite,
};
