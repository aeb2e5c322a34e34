// Everything that writes to the residual stream at a prompt, as vectors with a column each: features a·d, errors, skips, embeddings, constants.
import type { Step } from '@limn/gpu';
import { concat, detach, fromData, gatherRows, keep, matmul, mul, reshape, sub, sum, type Tensor } from '@limn/tensor';
import type { Firing, FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import type { BiasKind, GraphNode } from './graph-node.js';

/** What a skip connection is: a way through which edges run on to what lies before it, or a source where they end. */
export type SkipTreatment = 'through' | 'source';

/** Vectors written at one place of the stream, at every position. */
export interface PlacedSources {
  /** [T, n, C]; entries without a column are zero. */
  readonly vectors: Tensor;
  /** Column of entry (t, i) at t·n + i; −1 where there is none. */
  readonly columns: Int32Array;
  readonly perPosition: number;
}

/** Constants [n, C] that are added at every position. */
export interface ConstantSources {
  readonly vectors: Tensor;
  readonly columns: readonly number[];
}

/** What is written in one block. */
export interface LayerSources {
  readonly mlp: PlacedSources;
  /** b_dec and β·W_skip. */
  readonly mlpConstants?: ConstantSources;
  readonly attentionConstants: ConstantSources;
}

/** All sources of a prompt, with their nodes in the order of their columns. */
export interface GraphSources extends Disposable {
  readonly nodes: readonly GraphNode[];
  /** Columns 0 … features − 1 are features. */
  readonly features: number;
  readonly layers: readonly LayerSources[];
  readonly embeddings: PlacedSources;
  readonly skips: SkipTreatment;
  /** The column of a constant. */
  biasColumn(bias: BiasKind, layer?: number): number;
  dispose(): void;
}

/** Which of the features that fire are nodes; the others belong to the errors of their places. */
export type FeatureChoice = (place: {
  readonly layer: number;
  readonly position: number;
  readonly feature: number;
}) => boolean;

/** @throws LimnError `gpu/…`, `memory/…`; AbortedError */
export async function graphSources(
  prompt: FrozenPrompt,
  options: {
    readonly chosen?: FeatureChoice;
    /** In the place of what fires: features by layer, whose `activation` is what their decoder rows are multiplied by. */
    readonly firing?: readonly (readonly Firing[])[];
    readonly skips?: SkipTreatment;
    /** Whether b_Q and b_K are nodes: for targets inside attention. Default false. */
    readonly slotBiases?: boolean;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<GraphSources> {
  const { chosen = () => true, firing = prompt.host.firing, skips = 'through', slotBiases = false, signal } = options;
  const columns = new SourceColumns(prompt, firing, chosen, skips, slotBiases);
  const held: Tensor[] = [];
  const step = prompt.model.gpu.step({ label: 'attribution graph: sources', ...(signal ? { signal } : {}) });
  try {
    const hold = (x: Tensor): Tensor => {
      const own = keep(step, detach(x));
      held.push(own);
      return own;
    };
    const layers = prompt.layers.map((layer, l) => layerSources(step, layer, l, columns, hold));
    const embeddings = embeddingSources(step, prompt, columns, hold);
    await step.submit();
    const release = (): void => {
      for (const tensor of held) tensor.dispose();
    };
    return {
      nodes: columns.nodes,
      features: columns.features,
      layers,
      embeddings,
      skips,
      biasColumn: (bias, layer) => columns.of({ kind: 'bias', bias, ...(layer === undefined ? {} : { layer }) }),
      dispose: release,
      [Symbol.dispose]: release,
    };
  } catch (error) {
    for (const tensor of held) tensor.dispose();
    throw error;
  } finally {
    step.dispose();
  }
}

/** Nodes in the order of their columns. */
class SourceColumns {
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

const hasSkip = ({ dictionary }: FrozenLayer): boolean => dictionary?.config.skip === true;
const readsNorm = ({ dictionary }: FrozenLayer): boolean => dictionary?.config.input === 'ln2.hook_normalized';
const betaThroughSkip = (layer: FrozenLayer, skips: SkipTreatment): boolean =>
  skips === 'through' && hasSkip(layer) && readsNorm(layer) && layer.ln2.weights.beta !== undefined;

const SLOT_BIASES = ['b_Q', 'b_K'] as const;

/** In the order of the tensors that hold them, then those that targets read themselves. */
function biasesOf(layer: FrozenLayer, skips: SkipTreatment): BiasKind[] {
  return [
    ...attentionKinds(layer),
    ...(layer.dictionary ? (['b_dec', 'b_enc'] as const) : []),
    ...(betaThroughSkip(layer, skips) ? (['skip.beta'] as const) : []),
    ...(readsNorm(layer) && layer.ln2.weights.beta ? (['ln2.beta'] as const) : []),
  ];
}

const attentionKinds = ({ attentionBiases }: FrozenLayer): BiasKind[] =>
  (['b_O', 'b_V', 'ln1.beta'] as const).slice(0, attentionBiases.shape[0]);

function layerSources(
  step: Step,
  layer: FrozenLayer,
  l: number,
  columns: SourceColumns,
  hold: (x: Tensor) => Tensor,
): LayerSources {
  const attentionConstants = {
    vectors: layer.attentionBiases,
    columns: attentionKinds(layer).map((bias) => columns.of({ kind: 'bias', bias, layer: l })),
  };
  const [T = 0, C = 0] = layer.mlpOut.shape;
  const error = (position: number): number => columns.of({ kind: 'error', layer: l, position });
  const { dictionary, x } = layer;
  if (!dictionary || !x) {
    const vectors = reshape(layer.mlpOut, [T, 1, C]);
    return {
      mlp: { vectors, columns: Int32Array.from({ length: T }, (_, t) => error(t)), perPosition: 1 },
      attentionConstants,
    };
  }
  const firing = (columns.firing[l] ?? []).map((each) => ({
    ...each,
    column: columns.of({ kind: 'feature', layer: l, ...each }),
  }));
  const byPosition = Array.from({ length: T }, (_, t) =>
    firing.filter(({ position, column }) => position === t && column >= 0),
  );
  const width = Math.max(1, ...byPosition.map((each) => each.length));
  const ids = new Uint32Array(T * width).fill(0xffffffff);
  const activations = new Float32Array(T * width);
  const hasSkipSource = columns.skips === 'source' && hasSkip(layer);
  const perPosition = width + (hasSkipSource ? 2 : 1);
  const places = new Int32Array(T * perPosition).fill(-1);
  for (const [t, features] of byPosition.entries()) {
    for (const [i, { feature, activation, column }] of features.entries()) {
      ids[t * width + i] = feature;
      activations[t * width + i] = activation;
      places[t * perPosition + i] = column;
    }
    places[t * perPosition + width] = error(t);
    if (hasSkipSource) places[t * perPosition + width + 1] = columns.of({ kind: 'skip', layer: l, position: t });
  }
  const written = reshape(
    mul(
      step,
      gatherRows(step, dictionary.tensor('wDec'), fromData(step, ids, [T * width])),
      fromData(step, activations, [T * width, 1]),
    ),
    [T, width, C],
  );
  const wSkip = dictionary.parameters.get('wSkip');
  const skipped = wSkip ? matmul(step, x, wSkip, { label: 'skip' }) : undefined;
  const explained = sub(step, sub(step, layer.mlpOut, sum(step, written, { axes: 1 })), dictionary.tensor('bDec'));
  const rest = skipped ? sub(step, explained, skipped) : explained;
  const parts = [written, rest, ...(skipped && hasSkipSource ? [skipped] : [])].map((part) =>
    reshape(part, [T, part.size / (T * C), C]),
  );
  const bDec = reshape(dictionary.tensor('bDec'), [1, C]);
  const { beta } = layer.ln2.weights;
  const skipBeta =
    wSkip && beta && betaThroughSkip(layer, columns.skips)
      ? matmul(step, reshape(beta, [1, beta.size]), wSkip)
      : undefined;
  return {
    mlp: { vectors: hold(concat(step, parts, 1)), columns: places, perPosition },
    mlpConstants: {
      vectors: skipBeta ? hold(concat(step, [bDec, skipBeta], 0)) : bDec,
      columns: (skipBeta ? (['b_dec', 'skip.beta'] as const) : (['b_dec'] as const)).map((bias) =>
        columns.of({ kind: 'bias', bias, layer: l }),
      ),
    },
    attentionConstants,
  };
}

function embeddingSources(
  step: Step,
  { embedded, positions, host }: FrozenPrompt,
  columns: SourceColumns,
  hold: (x: Tensor) => Tensor,
): PlacedSources {
  const [T = 0, C = 0] = embedded.shape;
  const kinds = host.hasPositions ? (['token', 'position'] as const) : (['token'] as const);
  const parts = [embedded, positions].slice(0, kinds.length).map((part) => reshape(part, [T, 1, C]));
  const places = Int32Array.from({ length: T * kinds.length }, (_, i) => {
    const position = Math.floor(i / kinds.length);
    return kinds[i % kinds.length] === 'token'
      ? columns.of({ kind: 'token', position, token: 0 })
      : columns.of({ kind: 'position', position });
  });
  const vectors = kinds.length === 1 ? (parts[0] as Tensor) : hold(concat(step, parts, 1));
  return { vectors, columns: places, perPosition: kinds.length };
}
