// The nodes of computational paths: what is explained, features, heads with the position they read, embeddings. Dunefsky et al. 2024.
import type { StreamPlace } from './stream-place.js';

/** What is explained: the first node of every path. */
export interface PathRoot {
  readonly kind: 'root';
  readonly label: string;
  readonly place: StreamPlace;
  readonly position: number;
}

/** A source on a path. A head stands at the position that it reads. */
export type PathSource =
  | { readonly kind: 'feature'; readonly layer: number; readonly feature: number; readonly position: number }
  | { readonly kind: 'head'; readonly layer: number; readonly head: number; readonly position: number }
  | { readonly kind: 'embedding'; readonly position: number };

/** One node of a path. */
export type PathNode = PathRoot | PathSource;

/** As the paper writes them: `tc8[89]@9`, `attn2[2]@8`, `embed0@9`; the root by its label. With `positions` false, without `@9`. */
export function pathNodeName(node: PathNode, positions = true): string {
  const at = positions ? `@${node.position}` : '';
  switch (node.kind) {
    case 'root':
      return `${node.label}${at}`;
    case 'feature':
      return `tc${node.layer}[${node.feature}]${at}`;
    case 'head':
      return `attn${node.layer}[${node.head}]${at}`;
    case 'embedding':
      return `embed0${at}`;
  }
}

/** A source, and what it brings to a reader f of the stream: a term of f·x. */
export interface PathTerm {
  readonly node: PathSource;
  readonly value: number;
}

/** What a node is made of besides the sources that are kept: with them it sums to the node's attribution. */
export interface PathRemainder {
  /** Σ over MLPs below of f·(mlp(x) − TC(x)); of whole outputs where there is no dictionary. */
  readonly tcError: number;
  /** Constants: what the node adds itself (b_enc, β), b_dec, and those of attention. */
  readonly biasError: number;
  /** f·(x·W_skip) of transcoders with a skip connection. */
  readonly skip: number;
  /** Σ of all terms that could be kept: features, heads, the embedding. */
  readonly terms: number;
}

/** One step of a path: a node and what it brings to the root along this path. */
export interface PathStep {
  readonly node: PathNode;
  readonly attribution: number;
  /** None of a leaf, an embedding. */
  readonly remainder?: PathRemainder;
}

/** A path from the root down to its last node. */
export interface ComputationalPath {
  readonly steps: readonly PathStep[];
}
