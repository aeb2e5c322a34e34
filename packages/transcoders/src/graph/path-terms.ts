// What a vector that reads the stream at one place is made of, one step down: features at its position, heads and where they look, the embedding.
import type { Step } from '@limn/gpu';
import { fromData, gatherRows, matmul, mul, permute, readFloats, reshape, sum, type Tensor } from '@limn/tensor';
import type { FrozenLayer, FrozenPrompt } from './frozen-prompt.js';
import type { GraphSources, LayerSources, PlacedSources } from './graph-sources.js';
import type { PathTerm } from './path-node.js';
import type { StreamPlace } from './stream-place.js';

/** A vector [C] of the residual stream, and where it reads it. */
export interface StreamReader {
  readonly place: StreamPlace;
  readonly position: number;
  readonly vector: Float32Array;
}

/** All of f·x: its terms by where they are written, and what is no term. */
export interface PathTerms {
  /** Features, those of one layer together. */
  readonly features: readonly (readonly PathTerm[])[];
  /** (head, position) pairs, those of one layer together. */
  readonly heads: readonly (readonly PathTerm[])[];
  readonly embedding: PathTerm;
  /** Σ f·(mlp(x) − TC(x)). */
  readonly tcError: number;
  /** Σ f·b over b_dec and the constants of attention. */
  readonly constants: number;
  /** Σ f·(x·W_skip). */
  readonly skip: number;
}

/** What the GPU says of one layer, for P readers. */
interface LayerProducts {
  /** [P, entries at a position]. */
  readonly mlp: Float32Array;
  /** [H, P, T], without the pattern. */
  readonly heads: Float32Array;
  /** [P, constants]. */
  readonly attentionConstants: Float32Array;
  readonly mlpConstants?: Float32Array;
}

const seesMlp = ({ layer, at }: StreamPlace, l: number): boolean => l < layer || (l === layer && at === 'post');
const seesAttention = ({ layer, at }: StreamPlace, l: number): boolean => l < layer || (l === layer && at !== 'pre');

/**
 * The terms of every reader, in one step. `sources` have skip connections as sources; `patterns` are those of all layers on the host,
 * [H, T, T] each.
 */
export async function pathTerms(
  prompt: FrozenPrompt,
  sources: GraphSources,
  readers: readonly StreamReader[],
  patterns: readonly Float32Array[],
  signal?: AbortSignal,
): Promise<PathTerms[]> {
  const { model, layers } = prompt;
  const [P, C] = [readers.length, model.info.width];
  const step = model.gpu.step({ label: 'paths: terms', ...(signal ? { signal } : {}) });
  try {
    const data = new Float32Array(P * C);
    for (const [b, { vector }] of readers.entries()) data.set(vector, b * C);
    const vectors = fromData(step, data, [P, C], { label: 'readers' });
    const positions = readers.map(({ position }) => position);
    const read = (rows: Tensor): Promise<Float32Array> =>
      readFloats(step, matmul(step, vectors, rows, { transposeB: true }));
    const [embedding, ...ofLayers] = await Promise.all([
      readFloats(step, placedProducts(step, sources.embeddings, vectors, positions)),
      ...layers.map(async (layer, l): Promise<LayerProducts> => {
        const { mlp, mlpConstants, attentionConstants } = sources.layers[l] as LayerSources;
        const [written, heads, attended, decoded] = await Promise.all([
          readFloats(step, placedProducts(step, mlp, vectors, positions)),
          readFloats(step, headProducts(step, layer, vectors)),
          read(attentionConstants.vectors),
          mlpConstants ? read(mlpConstants.vectors) : undefined,
        ]);
        return { mlp: written, heads, attentionConstants: attended, ...(decoded ? { mlpConstants: decoded } : {}) };
      }),
    ]);
    return readers.map((reader, b) => termsOf(prompt, sources, reader, b, P, ofLayers, embedding, patterns));
  } finally {
    step.dispose();
  }
}

/** Products of P vectors [P, C] with what is written at their positions, [P, n]. */
function placedProducts(step: Step, sources: PlacedSources, vectors: Tensor, positions: readonly number[]): Tensor {
  const [P = 0, C = 0] = vectors.shape;
  const n = sources.perPosition;
  const T = Math.max(...positions) + 1;
  const there = gatherRows(
    step,
    reshape(sources.rows(step, T), [T, n * C]),
    fromData(step, Uint32Array.from(positions), [P]),
  );
  return sum(step, mul(step, reshape(there, [P, n, C]), reshape(vectors, [P, 1, C])), { axes: 2 });
}

/** (W_O^h·f)·(W_V^h·x̂_s) for every head and position, [H, P, T]: what each would bring if it were all that is looked at. */
function headProducts(step: Step, layer: FrozenLayer, vectors: Tensor): Tensor {
  const P = vectors.shape[0] as number;
  const [H = 0, T = 0] = layer.pattern.shape;
  const K = (layer.wO.shape[0] as number) / H;
  const byHead = (x: Tensor, rows: number): Tensor => permute(step, reshape(x, [rows, H, K]), [1, 0, 2]);
  const read = matmul(step, vectors, layer.wO, { transposeB: true });
  return matmul(step, byHead(read, P), byHead(layer.values, T), { transposeB: true });
}

function termsOf(
  { length: T, model }: FrozenPrompt,
  sources: GraphSources,
  { place, position }: StreamReader,
  b: number,
  P: number,
  ofLayers: readonly LayerProducts[],
  embedded: Float32Array,
  patterns: readonly Float32Array[],
): PathTerms {
  const ofRow = (values: Float32Array): Float32Array =>
    values.subarray((b * values.length) / P, ((b + 1) * values.length) / P);
  const total = (values: Float32Array): number => ofRow(values).reduce((sum, value) => sum + value, 0);
  // By the layer of the feature; what one of a cross-layer transcoder writes at several layers is one term.
  const features = ofLayers.map((): Map<number, number> => new Map());
  const heads: PathTerm[][] = [];
  let [tcError, constants, skip] = [0, 0, 0];
  for (const [l, products] of ofLayers.entries()) {
    const { columns, perPosition } = (sources.layers[l] as LayerSources).mlp;
    if (seesMlp(place, l)) {
      for (const [i, value] of ofRow(products.mlp).entries()) {
        const node = sources.nodes[columns[position * perPosition + i] as number];
        if (node?.kind === 'feature') {
          const fired = features[node.layer] as Map<number, number>;
          fired.set(node.feature, (fired.get(node.feature) ?? 0) + value);
        } else if (node?.kind === 'error') tcError += value;
        else if (node?.kind === 'skip') skip += value;
      }
      if (products.mlpConstants) constants += total(products.mlpConstants);
    }
    const looked: PathTerm[] = [];
    if (seesAttention(place, l)) {
      const pattern = patterns[l] as Float32Array;
      for (let head = 0; head < model.info.heads; head++)
        for (let s = 0; s <= position; s++) {
          const share = pattern[(head * T + position) * T + s] as number;
          const value = share * (products.heads[(head * P + b) * T + s] as number);
          looked.push({ node: { kind: 'head', layer: l, head, position: s }, value });
        }
      constants += total(products.attentionConstants);
    }
    heads.push(looked);
  }
  return {
    features: features.map((fired, layer) =>
      Array.from(fired, ([feature, value]) => ({ node: { kind: 'feature', layer, feature, position }, value })),
    ),
    heads,
    embedding: { node: { kind: 'embedding', position }, value: total(embedded) },
    tcError,
    constants,
    skip,
  };
}
