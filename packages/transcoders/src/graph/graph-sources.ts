// Everything that writes to the residual stream at a prompt, as vectors with a column: features a·d, errors, skips, embeddings, constants.
import type { Step } from '@limn/gpu';
import {
  add,
  concat,
  detach,
  fromData,
  gatherRows,
  keep,
  matmul,
  mul,
  reshape,
  slice,
  sub,
  sum,
  type Tensor,
} from '@limn/tensor';
import type { FeatureWriter, Firing, FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import type { BiasKind, GraphNode } from './graph-node.js';
import {
  attentionKinds,
  betaThroughSkip,
  hasSkip,
  SourceColumns,
  type FeatureChoice,
  type SkipTreatment,
} from './source-columns.js';

/** Vectors written at one place of the stream, at every position. */
export interface PlacedSources {
  /** Those of the first T positions, [T, n, C], on the tape of a step; entries without a column are zero. */
  rows(step: Step, T: number): Tensor;
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
  const { features } = layer;
  if (!features) {
    const whole = reshape(layer.mlpOut, [T, 1, C]);
    const columnsOf = Int32Array.from({ length: T }, (_, t) => error(t));
    return {
      mlp: { rows: (into, n) => firstRows(into, whole, n), columns: columnsOf, perPosition: 1 },
      attentionConstants,
    };
  }
  const { bDec, wSkip, x } = features;
  const parts = features.writers.map((writer) => writtenBy(writer, columns, T));
  const width = parts.reduce((sum, part) => sum + part.width, 0);
  const hasSkipSource = columns.skips === 'source' && hasSkip(layer);
  const perPosition = width + (hasSkipSource ? 2 : 1);
  const places = new Int32Array(T * perPosition).fill(-1);
  for (let t = 0; t < T; t++) {
    let at = t * perPosition;
    for (const part of parts) {
      places.set(part.columns.subarray(t * part.width, (t + 1) * part.width), at);
      at += part.width;
    }
    places[at] = error(t);
    if (hasSkipSource) places[at + 1] = columns.of({ kind: 'skip', layer: l, position: t });
  }
  const explainedBy = parts
    .map((part) => sum(step, part.rows(step, T), { axes: 1 }))
    .reduce((all, part) => add(step, all, part));
  const skipped = wSkip ? matmul(step, x, wSkip, { label: 'skip' }) : undefined;
  const explained = sub(step, sub(step, layer.mlpOut, explainedBy), bDec);
  const rest = reshape(skipped ? sub(step, explained, skipped) : explained, [T, 1, C]);
  const others = hold(skipped && hasSkipSource ? concat(step, [rest, reshape(skipped, [T, 1, C])], 1) : rest);
  const bDecRow = reshape(bDec, [1, C]);
  const { beta } = layer.ln2.weights;
  const skipBeta =
    wSkip && beta && betaThroughSkip(layer, columns.skips)
      ? matmul(step, reshape(beta, [1, beta.size]), wSkip)
      : undefined;
  return {
    mlp: {
      rows: (into, n) => concat(into, [...parts.map((part) => part.rows(into, n)), firstRows(into, others, n)], 1),
      columns: places,
      perPosition,
    },
    mlpConstants: {
      vectors: skipBeta ? hold(concat(step, [bDecRow, skipBeta], 0)) : bDecRow,
      columns: (skipBeta ? (['b_dec', 'skip.beta'] as const) : (['b_dec'] as const)).map((bias) =>
        columns.of({ kind: 'bias', bias, layer: l }),
      ),
    },
    attentionConstants,
  };
}

/** What features of one layer write at one: a·d of those that fire at each position, and their columns; −1 and zeros where there are fewer. */
function writtenBy(
  { from, decoder }: FeatureWriter,
  columns: SourceColumns,
  T: number,
): {
  readonly width: number;
  readonly columns: Int32Array;
  /** Of the first n positions, [n, width, C]. */
  rows(step: Step, n: number): Tensor;
} {
  const byPosition = Array.from({ length: T }, (): { feature: number; activation: number; column: number }[] => []);
  for (const each of columns.firing[from] ?? []) {
    const column = columns.of({ kind: 'feature', layer: from, ...each });
    if (column >= 0) byPosition[each.position]?.push({ ...each, column });
  }
  const width = Math.max(1, ...byPosition.map((each) => each.length));
  const ids = new Uint32Array(T * width).fill(0xffffffff);
  const activations = new Float32Array(T * width);
  const places = new Int32Array(T * width).fill(-1);
  for (const [t, features] of byPosition.entries())
    for (const [i, { feature, activation, column }] of features.entries()) {
      ids[t * width + i] = feature;
      activations[t * width + i] = activation;
      places[t * width + i] = column;
    }
  const C = decoder.shape[1] as number;
  return {
    width,
    columns: places,
    // Made anew in every step: rows of W_dec for all that fires are many times the rest together.
    rows: (step, n) => {
      const rows = gatherRows(step, decoder, fromData(step, ids.subarray(0, n * width), [n * width]));
      const scales = fromData(step, activations.subarray(0, n * width), [n * width, 1]);
      return reshape(mul(step, rows, scales), [n, width, C]);
    },
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
  return { rows: (into, n) => firstRows(into, vectors, n), columns: places, perPosition: kinds.length };
}

/** The first n of a tensor's leading axis. */
export function firstRows(step: Step, x: Tensor, n: number): Tensor {
  return x.shape[0] === n ? x : slice(step, x, 0, 0, n);
}
