// What an attribution graph is: nodes, the matrix of edges, and the proof that they add up. Ameisen et al. 2025; circuit-tracer.
import type { Accounting, EdgeMatrix } from './edge-matrix.js';
import type { GraphNode } from './graph-node.js';

/**
 * How a prompt's output is made of features: in the model with attention patterns and LayerNorm scales held, every feature's
 * pre-activation and every output is a sum over the sources, and an edge is a source's term in it.
 *
 * Nodes come in this order: features by (layer, position, feature); errors layer by layer; skips; tokens; positions; biases; outputs.
 * Rows of `edges` are the features in their order, then the outputs; columns are all nodes but the outputs.
 */
export interface AttributionGraph {
  readonly prompt: readonly number[];
  readonly layers: number;
  readonly nodes: readonly GraphNode[];
  readonly edges: EdgeMatrix;
  /** One per row of `edges`. */
  readonly accounting: readonly Accounting[];
  /** Features that fired; those beyond `maxFeatures` are part of the errors at their places. */
  readonly activeFeatures: number;
  /** Layers whose MLP no dictionary explains. */
  readonly withoutDictionary: readonly number[];
}

/** The largest `relative` of all targets. */
export function worstResidual({ accounting }: Pick<AttributionGraph, 'accounting'>): number {
  return accounting.reduce((worst, { relative }) => Math.max(worst, relative), 0);
}
