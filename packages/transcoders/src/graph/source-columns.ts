// Which source has which column: features by layer, position and number; errors; skips; tokens; positions; constants.
import type { Firing, FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import type { BiasKind, GraphNode } from './graph-node.js';

/** What a skip connection is: a way through which edges run on to what lies before it, or a source where they end. */
export type SkipTreatment = 'through' | 'source';

/** Which of the features that fire are nodes; the others belong to the errors of their places. */
export type FeatureChoice = (place: {
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
}) => boolean;

/** Nodes in the order of their columns. */
export class SourceColumns {
  readonly nodes: GraphNode[] = [];
  readonly features: number;
  readonly #columns = new Map<string, number>();

  constructor(
    readonly prompt: FrozenPrompt,
    readonly firing: readonly (readonly Firing[])[],
    chosen: FeatureChoice,
    readonly skips: SkipTreatment,
    slotBiases: boolean,
  ) {
    const { host, layers, tokens, model } = prompt;
    for (const [layer, list] of firing.entries())
      for (const each of list) if (chosen({ layer, ...each })) this.#put({ kind: 'feature', layer, ...each });
    this.features = this.nodes.length;
    const places = <N extends GraphNode>(
      make: (layer: number, position: number) => N,
      only: (layer: FrozenLayer) => boolean = () => true,
    ): void => {
      for (const [layer, frozen] of layers.entries())
        if (only(frozen)) for (const position of tokens.keys()) this.#put(make(layer, position));
    };
    places((layer, position) => ({ kind: 'error', layer, position }));
    if (skips === 'source') places((layer, position) => ({ kind: 'skip', layer, position }), hasSkip);
    for (const [position, token] of tokens.entries()) this.#put({ kind: 'token', position, token });
    if (host.hasPositions) for (const position of tokens.keys()) this.#put({ kind: 'position', position });
    for (const [layer, frozen] of layers.entries())
      for (const bias of [...biasesOf(frozen, skips), ...(slotBiases ? SLOT_BIASES : [])])
        this.#put({ kind: 'bias', bias, layer });
    if (model.norm('ln_final').beta) this.#put({ kind: 'bias', bias: 'ln_final.beta' });
    if (model.unembedBias) this.#put({ kind: 'bias', bias: 'b_U' });
  }

  of(node: GraphNode): number {
    return this.#columns.get(keyOf(node)) ?? -1;
  }

  #put(node: GraphNode): void {
    this.#columns.set(keyOf(node), this.nodes.length);
    this.nodes.push(node);
  }
}

const keyOf = (node: GraphNode): string => {
  const { layer = '', position = '' } = node as { readonly layer?: number; readonly position?: number };
  return `${node.kind} ${layer} ${position} ${node.kind === 'feature' ? node.feature : node.kind === 'bias' ? node.bias : ''}`;
};

/** Whether a layer's dictionary has a skip connection. */
export const hasSkip = ({ features }: FrozenLayer): boolean => features?.wSkip !== undefined;
const readsNorm = ({ features }: FrozenLayer): boolean => features?.encoder.config.input === 'ln2.hook_normalized';
/** Whether ln2's β reaches the stream through a skip connection that is passed through. */
export const betaThroughSkip = (layer: FrozenLayer, skips: SkipTreatment): boolean =>
  skips === 'through' && hasSkip(layer) && readsNorm(layer) && layer.ln2.weights.beta !== undefined;

const SLOT_BIASES = ['b_Q', 'b_K'] as const;

/** In the order of the tensors that hold them, then those that targets read themselves. */
function biasesOf(layer: FrozenLayer, skips: SkipTreatment): BiasKind[] {
  return [
    ...attentionKinds(layer),
    ...(layer.features ? (['b_dec', 'b_enc'] as const) : []),
    ...(betaThroughSkip(layer, skips) ? (['skip.beta'] as const) : []),
    ...(readsNorm(layer) && layer.ln2.weights.beta ? (['ln2.beta'] as const) : []),
  ];
}

/** The constants of a layer's attention, in the order of their rows. */
export const attentionKinds = ({ attentionBiases }: FrozenLayer): BiasKind[] =>
  (['b_O', 'b_V', 'ln1.beta'] as const).slice(0, attentionBiases.shape[0]);
