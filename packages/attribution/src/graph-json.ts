// The graph file of EAP-IG and MIB: { cfg, nodes, edges } with names as keys, scores and neurons on nodes; both generations read, the current one written, plus a `limn` field that upstream readers ignore.
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { expectSign, provenanceOf, signOf, UNKNOWN_SIGN } from './graph-sign.js';
import type { GraphProvenance, ScoreSign } from './graph-sign.js';
import { edgesOf, expectUnits } from './neuron-circuit.js';
import type { RunnableCircuit } from './neuron-circuit.js';
import type { NodeScores } from './score-nodes.js';
import { scoresOf } from './scores.js';
import type { Scores } from './scores.js';

/** How a graph file is read. */
export interface ParseGraphOptions {
  /** The sign of the file's scores, where it says none, as MIB's and the reference's do not. Scores of 'negative-helps' are negated. */
  readonly sign?: ScoreSign | undefined;
}

/** A node of the file. What has no score has no `score`: upstream's reader takes a missing one for NaN, and breaks on null. */
export interface GraphJsonNode {
  readonly in_graph: boolean;
  readonly score?: number | null;
  /** [d_model], which neurons of its output are kept; at every node but `logits` or at none. */
  readonly neurons?: readonly boolean[];
  /** [d_model] */
  readonly neurons_scores?: readonly (number | null)[];
}

/** The file, as an object. */
export interface GraphJson {
  readonly cfg: {
    readonly n_layers: number;
    readonly n_heads: number;
    readonly parallel_attn_mlp: boolean;
    readonly d_model?: number;
  };
  readonly nodes: Readonly<Record<string, GraphJsonNode>>;
  readonly edges: Readonly<Record<string, { readonly score: number | null; readonly in_graph: boolean }>>;
  readonly limn?: GraphProvenance;
}

/** What a graph file holds. */
export interface ParsedGraph {
  readonly graph: Graph;
  /** Edges that the file marks as in the graph. */
  readonly circuit: Circuit;
  /** NaN where the file has no score. */
  readonly scores: Scores;
  /** Which neurons the file keeps, [nForward × width]; with `circuit` a `NeuronCircuit`. */
  readonly neurons?: Uint8Array;
  /** Scores of nodes, and of neurons, when there are any; NaN where one has none. */
  readonly nodeScores?: Pick<NodeScores, 'graph' | 'values' | 'neurons'>;
  /**
   * Of `scores` and `nodeScores` as they are given here: 'positive-helps' where the file or the caller says what its sign is, after
   * turning round what was 'negative-helps'; 'unknown' where neither does, so that a signed ranking may pick the worst edges.
   */
  readonly sign: 'positive-helps' | 'unknown';
  /** As it stands in the file. */
  readonly provenance?: GraphProvenance;
  /** Odd but harmless things met while reading. */
  readonly notes: readonly string[];
}

/**
 * Scores and a circuit in upstream's current schema. JSON has no NaN and no infinity: such a score of an edge or a neuron becomes
 * null, such a score of a node is left out.
 * @throws LimnError `data/graph-mismatch`, `data/score-shape`
 */
export function graphToJson(parts: {
  readonly scores: Scores;
  readonly circuit: RunnableCircuit;
  /** From `scoreNodes`, with or without scores of neurons. */
  readonly nodeScores?: Pick<NodeScores, 'graph' | 'values' | 'neurons'> | undefined;
  readonly provenance?: Readonly<Record<string, unknown>>;
}): GraphJson {
  const { scores, nodeScores, provenance } = parts;
  const circuit = edgesOf(parts.circuit);
  const { graph } = circuit;
  if (!graph.equals(scores.graph) || (nodeScores && !graph.equals(nodeScores.graph)))
    throw new LimnError('data/graph-mismatch', 'The scores and the circuit belong to models of different shape.');
  const kept = new Set(circuit.nodeNames()).add('logits');
  const neurons = 'neurons' in parts.circuit ? parts.circuit.neurons : undefined;
  const fields = (u: number): Omit<GraphJsonNode, 'in_graph'> => ({
    ...(nodeScores && Number.isFinite(nodeScores.values[u]) && { score: nodeScores.values[u] as number }),
    ...(neurons && { neurons: Array.from(rowOf(graph, neurons, u), (one) => one === 1) }),
    ...(nodeScores?.neurons && { neurons_scores: Array.from(rowOf(graph, nodeScores.neurons, u), finite) }),
  });
  const nodes: Record<string, GraphJsonNode> = {};
  for (const [u] of graph.nodes.entries()) {
    const name = graph.nodeName(u);
    nodes[name] = { in_graph: kept.has(name), ...fields(u) };
  }
  nodes.logits = { in_graph: true };
  const edges: Record<string, { score: number | null; in_graph: boolean }> = {};
  for (const { u, v } of graph.edges())
    edges[graph.edgeName(u, v)] = {
      score: finite(scores.values[graph.dense(u, v)] ?? Number.NaN),
      in_graph: circuit.has(u, v),
    };
  return {
    cfg: {
      n_layers: graph.layers,
      n_heads: graph.heads,
      parallel_attn_mlp: graph.block === 'parallel',
      d_model: graph.width,
    },
    nodes,
    edges,
    limn: { ...provenance, sign: 'positive-helps' },
  };
}

/**
 * Reads a graph file of either generation: nodes as objects or as booleans, scores as numbers, null or Python's bare
 * `NaN`, `d_model` missing; neurons of a head as its own row, or as upstream writes them, the rows of all heads of its layer.
 * Scores come back so that above 0 helps: those of a file whose sign is 'negative-helps', by itself or by `sign`, are negated.
 * @throws LimnError `data/graph-json` (not JSON, wrong shape), `data/graph-shape`, `data/unknown-edge`, `data/graph-incomplete`,
 * `data/graph-sign` (the file has an unknown sign, or not the one that was given), `usage/graph-sign`
 */
export function parseGraphJson(text: string, { sign: given }: ParseGraphOptions = {}): ParsedGraph {
  expectSign(given);
  let json: unknown;
  try {
    json = JSON.parse(withoutBareNumbers(text));
  } catch (cause) {
    throw broken(`it is not JSON (${cause instanceof Error ? cause.message : String(cause)})`, cause);
  }
  const file = record(json, 'the file');
  const cfg = record(file.cfg, '"cfg"');
  const nodes = record(file.nodes, '"nodes"');
  const edges = record(file.edges, '"edges"');
  const notes: string[] = [];
  const graph = buildGraph({
    layers: whole(cfg.n_layers, '"cfg.n_layers"'),
    heads: whole(cfg.n_heads, '"cfg.n_heads"'),
    width: cfg.d_model === undefined ? 1 : whole(cfg.d_model, '"cfg.d_model"'),
    block: flag(cfg.parallel_attn_mlp, '"cfg.parallel_attn_mlp"') ? 'parallel' : 'sequential',
  });
  if (cfg.d_model === undefined) notes.push('cfg.d_model is missing (old format); the width is unknown');
  const units = parseNodes(nodes, graph);
  const mask = new Uint8Array(graph.nForward * graph.nBackward);
  const values = scoresOf(graph, () => Number.NaN).values;
  let met = 0;
  for (const [name, value] of Object.entries(edges)) {
    const { u, v } = graph.parseEdge(name);
    const edge = record(value, `edge "${name}"`);
    if (flag(edge.in_graph, `"in_graph" of edge "${name}"`)) mask[graph.dense(u, v)] = 1;
    values[graph.dense(u, v)] = score(edge.score, name);
    met++;
  }
  if (met !== graph.edgeCount)
    throw new LimnError('data/graph-incomplete', `The graph file has ${met} edges; its model has ${graph.edgeCount}.`, {
      details: { given: met, expected: graph.edgeCount },
      hint: 'A truncated file, or a cfg that does not belong to these edges.',
    });
  const provenance = file.limn === undefined ? undefined : provenanceOf(record(file.limn, '"limn"'));
  const sign = signOf(provenance, given);
  if (sign === undefined) notes.push(UNKNOWN_SIGN);
  if (sign === 'negative-helps')
    for (const list of [values, units.nodeScores?.values, units.nodeScores?.neurons])
      // 0 stays 0, not −0.
      for (const [i, x] of list?.entries() ?? []) (list as Float64Array)[i] = 0 - x;
  return {
    graph,
    circuit: new Circuit(graph, mask),
    scores: { graph, values },
    ...units,
    sign: sign === undefined ? 'unknown' : 'positive-helps',
    ...(provenance && { provenance }),
    notes,
  };
}

/** Scores and neurons of the nodes of a file. */
function parseNodes(
  nodes: Readonly<Record<string, unknown>>,
  graph: Graph,
): Pick<ParsedGraph, 'neurons' | 'nodeScores'> {
  const { nForward, width } = graph;
  const values = new Float64Array(nForward).fill(Number.NaN);
  const kept = new Uint8Array(nForward * width);
  const neuronScores = new Float64Array(nForward * width).fill(Number.NaN);
  const met = { score: false, neurons: 0, neurons_scores: false };
  for (const [name, value] of Object.entries(nodes)) {
    const u = name === 'logits' ? undefined : graph.forwardIndex(name);
    if (typeof value === 'boolean') continue;
    const node = record(value, `node "${name}"`);
    flag(node.in_graph, `"in_graph" of node "${name}"`);
    if (u === undefined) continue;
    if (node.score !== undefined) {
      met.score = true;
      values[u] = score(node.score, name);
    }
    if (node.neurons !== undefined) {
      met.neurons++;
      kept.set(
        neuronRow(node.neurons, graph, u).map((one) => (flag(one, `a neuron of "${name}"`) ? 1 : 0)),
        u * width,
      );
    }
    if (node.neurons_scores !== undefined) {
      met.neurons_scores = true;
      neuronScores.set(
        neuronRow(node.neurons_scores, graph, u).map((one) => score(one, name)),
        u * width,
      );
    }
  }
  if (met.neurons > 0 && met.neurons < nForward)
    throw broken(`${met.neurons} of ${nForward} nodes say which neurons they keep, and not all`);
  return {
    ...(met.neurons > 0 && { neurons: kept }),
    ...((met.score || met.neurons_scores) && {
      nodeScores: { graph, values, ...(met.neurons_scores && { neurons: neuronScores }) },
    }),
  };
}

/** The [width] entries of source `u`: `value` itself, or its row of the [heads, width] that upstream puts at every head of a layer. */
function neuronRow(value: unknown, graph: Graph, u: number): unknown[] {
  const name = graph.nodeName(u);
  const node = graph.nodes[u];
  const list = array(value, name);
  const own = Array.isArray(list[0]) && node?.kind === 'head' ? array(list[node.head], name) : list;
  if (own.length !== graph.width)
    throw broken(`node "${name}" has ${own.length} neurons, and the model a width of ${graph.width}`);
  return own;
}

function array(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw broken(`the neurons of node "${name}" are no list`);
  return value;
}

/** Row `u` of [nForward × width]. */
function rowOf<T extends Uint8Array | Float64Array>(graph: Graph, values: T, u: number): T {
  expectUnits(values.length, graph.nForward * graph.width);
  return values.subarray(u * graph.width, (u + 1) * graph.width) as T;
}

function finite(score: number): number | null {
  return Number.isFinite(score) ? score : null;
}

/** Python's json writes bare NaN and Infinity; outside of strings they become null. */
function withoutBareNumbers(text: string): string {
  return text.replace(/"(?:[^"\\]|\\.)*"|-?\bInfinity\b|\bNaN\b/g, (part) => (part.startsWith('"') ? part : 'null'));
}

function broken(what: string, cause?: unknown): LimnError {
  return new LimnError('data/graph-json', `This is not an EAP-IG graph file: ${what}.`, {
    hint: 'Expected { "cfg": { "n_layers", "n_heads", "parallel_attn_mlp" }, "nodes": {…}, "edges": { "a0.h0->m0": { "score", "in_graph" } } }.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw broken(`${what} is not an object`);
  return value as Record<string, unknown>;
}

function whole(value: unknown, what: string): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 1e5)
    throw broken(`${what} is ${JSON.stringify(value)}, not a whole number of at least 1`);
  return value;
}

function flag(value: unknown, what: string): boolean {
  if (typeof value !== 'boolean') throw broken(`${what} is ${JSON.stringify(value)}, not true or false`);
  return value;
}

function score(value: unknown, name: string): number {
  if (value === null || value === undefined) return Number.NaN;
  if (typeof value !== 'number') throw broken(`the score of "${name}" is ${JSON.stringify(value)}, not a number`);
  return value;
}
