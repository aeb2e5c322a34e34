// The attribution graph of a prompt: outputs, the features that matter to them, and everything those are made of, accounted for.
import { LimnError, throwIfAborted } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { ACCOUNTING_TOLERANCE } from './accounting-tolerance.js';
import type { AttributionGraph } from './attribution-graph.js';
import { edgesInto, type IncomingEdges } from './edges-into.js';
import { accountFor } from './edge-matrix.js';
import { foldFeatures } from './fold-features.js';
import { FrozenPrompt, type Dictionaries } from './frozen-prompt.js';
import { graphNodeName, type FeatureNode, type GraphNode, type OutputNode } from './graph-node.js';
import { logitOutputs, type GraphOutput, type LogitOutputOptions } from './graph-output.js';
import { graphSources, type GraphSources } from './graph-sources.js';
import type { SkipTreatment } from './source-columns.js';
import { placeOf, type GraphTarget } from './graph-target.js';
import { nodeInfluence, roleOf } from './influence.js';

/** Options of an attribution graph. */
export interface GraphOptions extends RunControls {
  /** Default: the likeliest next tokens, see `logitOutputs`. */
  readonly outputs?: readonly GraphOutput[];
  readonly logits?: LogitOutputOptions;
  /** Most features; of more that fire those of the most influence are taken, round by round. Default 7500. */
  readonly maxFeatures?: number;
  /** Positions whose MLP outputs stay whole, as errors. Default: the first, if it is the model's BOS. */
  readonly withoutFeatures?: readonly number[];
  /** Whether edges run through skip connections. Default `through`. */
  readonly skips?: SkipTreatment;
  /** Largest relative residual of the accounting. Default 1e-4. */
  readonly tolerance?: number;
}

/** Features that a round adds at most, where not all that fire are taken. */
const ROUND = 1024;

/**
 * Runs a prompt and makes its graph.
 * @throws LimnError as `buildGraph` and `FrozenPrompt.of`; AbortedError
 */
export async function attributePrompt(
  model: HookedModel,
  dictionaries: Dictionaries,
  tokens: readonly number[],
  options: GraphOptions = {},
): Promise<AttributionGraph> {
  const prompt = await FrozenPrompt.of(model, dictionaries, tokens, options);
  try {
    return await buildGraph(prompt, options);
  } finally {
    prompt.dispose();
  }
}

/**
 * The graph of a prompt whose patterns and scales are held: every feature kept and every output is, to within `tolerance`, the sum of its
 * edges, and no edge is what is left over of others.
 * @throws LimnError `data/graph-residual` when a sum is further off, with the node; `data/graph-edges`, `data/graph-cycle`;
 * `usage/graph-…`, `usage/batch-size`, `usage/memory`, `memory/over-budget`, `gpu/…`; AbortedError
 */
export async function buildGraph(prompt: FrozenPrompt, options: GraphOptions = {}): Promise<AttributionGraph> {
  const { maxFeatures = 7500, tolerance = ACCOUNTING_TOLERANCE, skips = 'through', signal } = options;
  if (!Number.isInteger(maxFeatures) || maxFeatures < 0)
    throw new LimnError('usage/graph-features', `maxFeatures is ${maxFeatures}; it is a whole number from 0.`, {
      details: { maxFeatures },
    });
  const outputs = options.outputs ?? logitOutputs(prompt, options.logits);
  if (outputs.length === 0)
    throw new LimnError('usage/graph-target', 'A graph needs at least one output.', { details: {} });
  const whole = new Set(options.withoutFeatures ?? (prompt.tokens[0] === prompt.model.info.bosId ? [0] : []));
  const sources = await graphSources(prompt, { chosen: ({ position }) => !whole.has(position), skips, signal });
  try {
    const explained = await edgesInto(
      prompt,
      sources,
      outputs.map(({ target }) => target),
      options,
    );
    const candidates = featuresBefore(
      prompt,
      sources,
      outputs.map(({ target }) => target),
    );
    const features = await chooseAndExplain(prompt, sources, outputs, explained, candidates, {
      ...options,
      maxFeatures,
    });
    const graph = assemble(prompt, sources, outputs, explained, features);
    const folded = foldFeatures(
      graph,
      Uint8Array.from(graph.nodes, (node, i) => (node.kind !== 'feature' || features.has(i) ? 1 : 0)),
    );
    checkAccounting(folded, tolerance);
    return folded;
  } finally {
    sources.dispose();
  }
}

/** Columns of features from which some target can be reached: below it, and not behind it. */
function featuresBefore(prompt: FrozenPrompt, sources: GraphSources, targets: readonly GraphTarget[]): number[] {
  const places = targets.map((target) => ({ position: target.position, ...placeOf(target, prompt) }));
  return sources.nodes.slice(0, sources.features).flatMap((node, column) => {
    const { layer, position } = node as FeatureNode;
    const before = places.some(
      (place) => position <= place.position && (layer < place.layer || (layer === place.layer && place.at === 'post')),
    );
    return before ? [column] : [];
  });
}

const targetOf = (node: GraphNode | undefined): GraphTarget => {
  const { layer, position, feature } = node as FeatureNode;
  return { kind: 'feature', layer, position, feature };
};

/** Rows by column of feature: of all candidates, or of those that have the most influence on what is explained already. */
async function chooseAndExplain(
  prompt: FrozenPrompt,
  sources: GraphSources,
  outputs: readonly GraphOutput[],
  explained: IncomingEdges,
  candidates: readonly number[],
  options: GraphOptions & { readonly maxFeatures: number },
): Promise<ReadonlyMap<number, { readonly edges: Float32Array; readonly value: number }>> {
  const width = sources.nodes.length;
  const total = Math.min(options.maxFeatures, candidates.length);
  const rows = new Map<number, { readonly edges: Float32Array; readonly value: number }>();
  const left = new Set(candidates);
  while (rows.size < total) {
    throwIfAborted(options.signal, 'An attribution graph');
    const batch =
      total === candidates.length
        ? candidates
        : mostInfluential(sources, outputs, explained, rows, left).slice(0, Math.min(ROUND, total - rows.size));
    const done = rows.size;
    const found = await edgesInto(
      prompt,
      sources,
      batch.map((column) => targetOf(sources.nodes[column])),
      {
        ...options,
        onProgress: (progress) => options.onProgress?.({ unit: 'features', done: done + progress.done, total }),
      },
    );
    for (const [i, column] of batch.entries()) {
      rows.set(column, { edges: found.weights.subarray(i * width, (i + 1) * width), value: found.values[i] as number });
      left.delete(column);
    }
  }
  return rows;
}

/** Features not yet explained, those first that have the most influence on the outputs by way of what is. */
function mostInfluential(
  sources: GraphSources,
  outputs: readonly GraphOutput[],
  explained: IncomingEdges,
  rows: ReadonlyMap<number, { readonly edges: Float32Array }>,
  left: ReadonlySet<number>,
): number[] {
  const width = sources.nodes.length;
  const weights = new Float32Array((rows.size + outputs.length) * width);
  for (const [i, { edges }] of [...rows.values()].entries()) weights.set(edges, i * width);
  weights.set(explained.weights, rows.size * width);
  const influence = nodeInfluence({
    roles: [...sources.nodes.map(roleOf), ...outputs.map(() => 'output' as const)],
    edges: {
      sources: width,
      targets: Uint32Array.from([...rows.keys(), ...outputs.map((_, i) => width + i)]),
      weights,
    },
    weights: [...sources.nodes.map(() => 0), ...outputs.map(({ weight = 1 }) => weight)],
  });
  return [...left].sort((a, b) => (influence[b] as number) - (influence[a] as number) || a - b);
}

/** Rows of features that were explained, in their order, then of outputs. */
function assemble(
  prompt: FrozenPrompt,
  sources: GraphSources,
  outputs: readonly GraphOutput[],
  explained: IncomingEdges,
  features: ReadonlyMap<number, { readonly edges: Float32Array; readonly value: number }>,
): AttributionGraph {
  const width = sources.nodes.length;
  const columns = [...features.keys()].sort((a, b) => a - b);
  const weights = new Float32Array((columns.length + outputs.length) * width);
  for (const [row, column] of columns.entries()) weights.set(features.get(column)?.edges ?? [], row * width);
  weights.set(explained.weights, columns.length * width);
  const outputNodes = outputs.map(({ target, label, weight = 1, token, probability }, i): OutputNode => ({
    kind: 'output',
    label,
    position: target.position,
    value: explained.values[i] as number,
    weight,
    ...(token === undefined ? {} : { token }),
    ...(probability === undefined ? {} : { probability }),
  }));
  const values = [...columns.map((column) => features.get(column)?.value ?? 0), ...explained.values];
  return {
    prompt: prompt.tokens,
    layers: prompt.layers.length,
    nodes: [...sources.nodes, ...outputNodes],
    edges: { sources: width, targets: Uint32Array.from([...columns, ...outputs.map((_, i) => width + i)]), weights },
    accounting: values.map((value, row) => accountFor(weights.subarray(row * width, (row + 1) * width), value)),
    activeFeatures: prompt.host.firing.reduce((sum, firing) => sum + firing.length, 0),
    withoutDictionary: prompt.layers.flatMap(({ features: own }, layer) => (own ? [] : [layer])),
  };
}

function checkAccounting({ accounting, nodes, edges }: AttributionGraph, tolerance: number): void {
  for (const [row, { value, residual, relative }] of accounting.entries()) {
    if (relative <= tolerance) continue;
    const name = graphNodeName(nodes[edges.targets[row] as number] as GraphNode);
    throw new LimnError(
      'data/graph-residual',
      `The edges into ${name} sum to ${value + residual}, but its value is ${value}: ${relative.toExponential(1)} apart, where ${tolerance} is allowed.`,
      {
        details: { node: name, value, residual, relative, tolerance },
        hint: 'Does the model compute something between its hook sites that HookedModel does not name? Raise the tolerance to see the whole graph.',
      },
    );
  }
}
