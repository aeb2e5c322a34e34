// ONNX graphs of the benches' jobs. Everything a graph reads is a constant in it, so that a run uploads nothing.
import type { BlockWeights, DecodeSpec, JobSpec, MatmulSpec, RowSpec, TrunkSpec } from '../harness/contender.mjs';
import type { OnnxAttribute, OnnxGraph, OnnxNode, OnnxTensor } from './onnx-encoding.mjs';

/**
 * How attention is written: by GroupQueryAttention, onnxruntime's own fused operator, with as many keys as queries,
 * or by ONNX's MatMul and Softmax.
 */
export type AttentionForm = 'fused' | 'plain';

export interface OneOutput extends OnnxGraph {
  readonly output: string;
}

const EPSILON = 1e-5;
/** Of onnxruntime's own operators. */
const MICROSOFT = 'com.microsoft';

/** Constants and nodes in the order they are made; every node gives a name for its first output. */
class GraphBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly constants: OnnxTensor[] = [];

  constant(dims: readonly number[], data: OnnxTensor['data']): string {
    const name = `constant${this.constants.length}`;
    this.constants.push({ name, dims, data });
    return name;
  }

  /** int64 numbers in a row: a shape, or the sizes of parts. */
  numbers(...values: readonly number[]): string {
    return this.constant([values.length], BigInt64Array.from(values, BigInt));
  }

  node(op: string, inputs: readonly string[], attributes: OnnxNode['attributes'] = {}, domain?: string): string {
    return this.outputsOf(op, inputs, ['value'], attributes, domain)[0]!;
  }

  /** A node of several outputs, a name for each; '' leaves an optional output out. */
  outputsOf(
    op: string,
    inputs: readonly string[],
    names: readonly string[],
    attributes: OnnxNode['attributes'] = {},
    domain?: string,
  ): string[] {
    const outputs = names.map((name) => name && `${name}${this.nodes.length}`);
    this.nodes.push({ op, ...(domain === undefined ? {} : { domain }), inputs, outputs, attributes });
    return outputs;
  }

  graph(output: string, dims: readonly number[]): OneOutput {
    const { nodes, constants } = this;
    return { nodes, constants, inputs: [], outputs: [{ name: output, dims }], output };
  }
}

/** The shape of a job's result. */
export function resultShape(spec: JobSpec): readonly [number, number] {
  switch (spec.kind) {
    case 'matmul':
      return [spec.m, spec.n];
    case 'trunk':
      return [spec.tokens, spec.width];
    case 'decode':
      return [1, spec.width];
    default:
      return [spec.rows, spec.width];
  }
}

/**
 * The job as a graph of one output. Of small jobs, `copies` in one graph, each fed by the one before where the shapes allow
 * (so that the runtime reuses two buffers), else each by itself; whoever runs it must leave constant folding off.
 */
export function jobGraph(spec: JobSpec, { copies = 1, attention = 'fused' as AttentionForm } = {}): OneOutput {
  const build = new GraphBuilder();
  if (spec.kind === 'trunk' || spec.kind === 'decode')
    return build.graph(addBlocks(build, spec, attention), resultShape(spec));
  const input =
    spec.kind === 'matmul' ? build.constant([spec.m, spec.k], spec.a) : build.constant([spec.rows, spec.width], spec.x);
  const add = operation(build, spec);
  const fits = spec.kind !== 'matmul' || spec.k === spec.n;
  let output = input;
  for (let i = 0; i < copies; i++) output = add(fits ? output : input);
  return build.graph(output, resultShape(spec));
}

/** A graph that downloads a value [rows, columns], or only its first element: four bytes, for what just waits for the device. */
export function download(dims: readonly [number, number], part: 'whole' | 'first'): OneOutput {
  const build = new GraphBuilder();
  const graph =
    part === 'whole'
      ? build.graph(build.node('Identity', ['value']), dims)
      : build.graph(build.node('Slice', ['value', build.numbers(0, 0), build.numbers(1, 1)]), [1, 1]);
  return { ...graph, inputs: [{ name: 'value', dims }] };
}

const layerNormAttributes: Record<string, OnnxAttribute> = { axis: { int: -1 }, epsilon: { float: EPSILON } };
const tanhGelu: Record<string, OnnxAttribute> = { approximate: { text: 'tanh' } };

/** Adds one copy of the operation to what it is given. */
function operation(build: GraphBuilder, spec: MatmulSpec | RowSpec): (input: string) => string {
  switch (spec.kind) {
    case 'matmul': {
      const b = build.constant([spec.k, spec.n], spec.b);
      return (input) => build.node('MatMul', [input, b]);
    }
    case 'layernorm': {
      const [gamma, beta] = [spec.gamma, spec.beta].map((values) => build.constant([spec.width], values)) as [
        string,
        string,
      ];
      return (input) => build.node('LayerNormalization', [input, gamma, beta], layerNormAttributes);
    }
    case 'softmax':
      return (input) => build.node('Softmax', [input], { axis: { int: -1 } });
    case 'gelu':
      return (input) => build.node('Gelu', [input], tanhGelu);
  }
}

interface Sizes {
  readonly heads: number;
  /** Of a head. */
  readonly size: number;
  readonly width: number;
  readonly tokens: number;
  readonly past: number;
}

/**
 * GPT-2's blocks on [tokens, width]. Biases ride in Gemm where there are several rows; a single row goes through MatMul, whose
 * matrix-vector kernel is faster, and its biases ride in SkipLayerNormalization and FastGelu.
 */
function addBlocks(build: GraphBuilder, spec: TrunkSpec | DecodeSpec, form: AttentionForm): string {
  const [tokens, past] = spec.kind === 'trunk' ? [spec.tokens, 0] : [1, spec.past];
  const { width, heads } = spec;
  const sizes: Sizes = { heads, size: width / heads, width, tokens, past };
  const vector = (values: Float32Array): string => build.constant([values.length], values);
  const matrix = (values: Float32Array, rows: number): string => build.constant([rows, values.length / rows], values);
  const single = tokens === 1;
  /** x · w + bias, or x · w where the bias follows. */
  const dense = (x: string, w: Float32Array, rows: number, bias?: Float32Array): string => {
    if (single) {
      const product = build.node('MatMul', [x, matrix(w, rows)]);
      return bias ? build.node('Add', [product, vector(bias)]) : product;
    }
    return build.node('Gemm', [x, matrix(w, rows), ...(bias ? [vector(bias)] : [])]);
  };
  const later = (bias: Float32Array): [inGemm: Float32Array | undefined, after: string[]] =>
    single ? [undefined, [vector(bias)]] : [bias, []];

  let stream = build.constant([tokens, width], spec.x);
  const [first] = spec.blocks as [BlockWeights];
  let normal = build.node(
    'LayerNormalization',
    [stream, vector(first.gamma1), vector(first.beta1)],
    layerNormAttributes,
  );
  spec.blocks.forEach((block, i) => {
    const qkv = dense(normal, block.attentionIn, width, block.attentionInBias);
    const cache = spec.kind === 'decode' ? { keys: spec.keys[i]!, values: spec.values[i]! } : undefined;
    const mixed = (form === 'fused' ? fusedAttention : plainAttention)(build, qkv, sizes, cache);
    const [outBias, outBiasAfter] = later(block.attentionOutBias);
    const attended = dense(mixed, block.attentionOut, width, outBias);
    [normal, stream] = addAndNormalize(build, attended, stream, [
      vector(block.gamma2),
      vector(block.beta2),
      ...outBiasAfter,
    ]);
    const hidden = single
      ? build.node('FastGelu', [dense(normal, block.mlpIn, width), vector(block.mlpInBias)], {}, MICROSOFT)
      : build.node('Gelu', [dense(normal, block.mlpIn, width, block.mlpInBias)], tanhGelu);
    const next = spec.blocks[i + 1];
    if (!next) {
      stream = build.node('Add', [dense(hidden, block.mlpOut, 4 * width, block.mlpOutBias), stream]);
      return;
    }
    const [bias, after] = later(block.mlpOutBias);
    [normal, stream] = addAndNormalize(build, dense(hidden, block.mlpOut, 4 * width, bias), stream, [
      vector(next.gamma1),
      vector(next.beta1),
      ...after,
    ]);
  });
  return stream;
}

/** stream' = stream + x (+ bias), and LayerNorm of it. */
function addAndNormalize(
  build: GraphBuilder,
  x: string,
  stream: string,
  gammaBetaBias: readonly string[],
): [normal: string, stream: string] {
  const [normal, , , sum] = build.outputsOf(
    'SkipLayerNormalization',
    [x, stream, ...gammaBetaBias],
    ['normal', '', '', 'stream'],
    { epsilon: { float: EPSILON } },
    MICROSOFT,
  ) as [string, string, string, string];
  return [normal, sum];
}

interface Cache {
  /** [past, heads, size] */
  readonly keys: Float32Array;
  readonly values: Float32Array;
}

/** [past, heads, size] → [1, heads, past, size], as ONNX's caches lie. */
function headsFirst(build: GraphBuilder, values: Float32Array | undefined, { heads, size, past }: Sizes): string {
  const turned = new Float32Array(heads * past * size);
  if (values)
    for (let t = 0; t < past; t++)
      for (let h = 0; h < heads; h++) {
        const from = (t * heads + h) * size;
        turned.set(values.subarray(from, from + size), (h * past + t) * size);
      }
  return build.constant([1, heads, past, size], turned);
}

/** qkv [tokens, 3 · width] → [tokens, width] */
function fusedAttention(build: GraphBuilder, qkv: string, sizes: Sizes, cache?: Cache): string {
  const { heads, tokens, width, past } = sizes;
  const packed = build.node('Reshape', [qkv, build.numbers(1, tokens, 3 * width)]);
  const [mixed] = build.outputsOf(
    'GroupQueryAttention',
    [
      packed,
      '',
      '',
      headsFirst(build, cache?.keys, sizes),
      headsFirst(build, cache?.values, sizes),
      build.constant([1], Int32Array.of(past + tokens - 1)),
      build.constant([], Int32Array.of(past + tokens)),
    ],
    ['mixed', 'keys', 'values'],
    { num_heads: { int: heads }, kv_num_heads: { int: heads } },
    MICROSOFT,
  ) as [string];
  return build.node('Reshape', [mixed, build.numbers(tokens, width)]);
}

/** softmax(q · kᵀ / √size + mask) · v per head */
function plainAttention(build: GraphBuilder, qkv: string, sizes: Sizes, cache?: Cache): string {
  const { heads, size, tokens, width } = sizes;
  const perm = (...ints: number[]) => ({ perm: { ints } });
  const split = build.outputsOf('Split', [qkv, build.numbers(width, width, width)], ['q', 'k', 'v'], {
    axis: { int: -1 },
  }) as [string, string, string];
  const [q, k, v] = split.map((part) =>
    build.node('Transpose', [build.node('Reshape', [part, build.numbers(1, tokens, heads, size)])], perm(0, 2, 1, 3)),
  ) as [string, string, string];
  const withPast = (now: string, before: Float32Array | undefined): string =>
    before ? build.node('Concat', [headsFirst(build, before, sizes), now], { axis: { int: 2 } }) : now;
  const scaled = build.node('Mul', [q, build.constant([], Float32Array.of(1 / Math.sqrt(size)))]);
  const turned = build.node('Transpose', [withPast(k, cache?.keys)], perm(0, 1, 3, 2));
  let scores = build.node('MatMul', [scaled, turned]);
  if (tokens > 1) scores = build.node('Add', [scores, build.constant([1, 1, tokens, tokens], causalMask(tokens))]);
  const weights = build.node('Softmax', [scores], { axis: { int: -1 } });
  const mixed = build.node('MatMul', [weights, withPast(v, cache?.values)]);
  return build.node('Reshape', [build.node('Transpose', [mixed], perm(0, 2, 1, 3)), build.numbers(tokens, width)]);
}

/** [tokens, tokens]: 0 up to the diagonal, −1e9 above it. */
export function causalMask(tokens: number): Float32Array {
  return Float32Array.from({ length: tokens * tokens }, (_, i) => (i % tokens > Math.floor(i / tokens) ? -1e9 : 0));
}
