// The nodes of an attribution graph, and the names by which people and files call them.

/** A feature that fires: what it reads is a target of edges, what it writes a source of them. */
export interface FeatureNode {
  readonly kind: 'feature';
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
  /** a = φ(h) > 0; every φ here leaves a feature that fires as it is, so that this is h too. */
  readonly activation: number;
}

/** What the MLP wrote and the dictionary's chosen features did not: mlp(x) − Σ a·d − b_dec (− x·W_skip). The whole output where there is no dictionary. */
export interface ErrorNode {
  readonly kind: 'error';
  readonly layer: number;
  readonly position: number;
}

/** x·W_skip as a source of its own; there are none where the skip connection is passed through. */
export interface SkipNode {
  readonly kind: 'skip';
  readonly layer: number;
  readonly position: number;
}

/** The embedding of a token. */
export interface TokenNode {
  readonly kind: 'token';
  readonly position: number;
  readonly token: number;
}

/** What a position adds to the embedding; none in models without position embeddings. */
export interface PositionNode {
  readonly kind: 'position';
  readonly position: number;
}

/**
 * Which constant. Those of attention reach the stream at every position with weight 1, as a row of a pattern sums to 1: `b_V`·W_O and
 * `ln1.beta`·W_V·W_O. `ln2.beta`, `b_enc`, `b_Q`, `b_K`, `ln_final.beta` and `b_U` are read by the target itself; `skip.beta` is ln2's β through W_skip.
 */
export type BiasKind =
  'b_enc' | 'ln2.beta' | 'b_dec' | 'skip.beta' | 'b_O' | 'b_Q' | 'b_K' | 'b_V' | 'ln1.beta' | 'ln_final.beta' | 'b_U';

/** A constant of the model or of a dictionary, at all positions together. */
export interface BiasNode {
  readonly kind: 'bias';
  readonly bias: BiasKind;
  /** Absent for those behind the last layer. */
  readonly layer?: number;
}

/** What is being explained: a logit less the mean logit, a difference of logits, a feature or a direction. A target only. */
export interface OutputNode {
  readonly kind: 'output';
  readonly label: string;
  readonly position: number;
  /** The number that its incoming edges sum to. */
  readonly value: number;
  /** Its share of the influence: the token's probability, or what the caller gave. */
  readonly weight: number;
  /** Of a logit. */
  readonly token?: number;
  readonly probability?: number;
}

/** One node of an attribution graph. */
export type GraphNode = FeatureNode | ErrorNode | SkipNode | TokenNode | PositionNode | BiasNode | OutputNode;

/** A name that no other node of the same graph has: `tc8[89]@9`, `error8@9`, `skip8@9`, `embed0@9`, `pos0@9`, `b_dec8`, `out[label]@9`. */
export function graphNodeName(node: GraphNode): string {
  switch (node.kind) {
    case 'feature':
      return `tc${node.layer}[${node.feature}]@${node.position}`;
    case 'error':
    case 'skip':
      return `${node.kind}${node.layer}@${node.position}`;
    case 'token':
      return `embed0@${node.position}`;
    case 'position':
      return `pos0@${node.position}`;
    case 'bias':
      return `${node.bias}${node.layer ?? ''}`;
    case 'output':
      return `out[${node.token ?? node.label}]@${node.position}`;
  }
}
