// The graph file of EAP-IG and MIB: { cfg, nodes, edges } with names as keys; both generations read, the current one written, plus a `limn` field that upstream readers ignore.
import { LimnError } from '@limn/gpu';
import { Circuit } from './circuit.js';
import { buildGraph } from './graph.js';
import type { Graph } from './graph.js';
import { scoresOf } from './scores.js';
import type { Scores } from './scores.js';

/** What a graph file says about itself. Upstream's format records none of it, not even the sign. */
export interface GraphProvenance {
  /** Always this: a positive score means that corrupting the edge raises the loss. */
  readonly sign: 'positive-helps';
  readonly [field: string]: unknown;
}

/** The file, as an object. */
export interface GraphJson {
  readonly cfg: {
    readonly n_layers: number;
    readonly n_heads: number;
    readonly parallel_attn_mlp: boolean;
    readonly d_model?: number;
  };
  readonly nodes: Readonly<Record<string, { readonly in_graph: boolean; readonly score?: number | null }>>;
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
  readonly provenance?: GraphProvenance;
  /** Odd but harmless things met while reading. */
  readonly notes: readonly string[];
}

/**
 * Scores and a circuit in upstream's current schema; a score that is not finite becomes null, as JSON has no NaN.
 * @throws LimnError `data/graph-mismatch`
 */
export function graphToJson(parts: {
  readonly scores: Scores;
  readonly circuit: Circuit;
  readonly provenance?: Readonly<Record<string, unknown>>;
}): GraphJson {
  const { scores, circuit, provenance } = parts;
  const { graph } = circuit;
  if (!graph.equals(scores.graph))
    throw new LimnError('data/graph-mismatch', 'The scores and the circuit belong to models of different shape.');
  const kept = new Set(circuit.nodeNames()).add('logits');
  const names = [...graph.nodes.map((_, u) => graph.nodeName(u)), 'logits'];
  const edges: Record<string, { score: number | null; in_graph: boolean }> = {};
  for (const { u, v } of graph.edges()) {
    const score = scores.values[graph.dense(u, v)] ?? Number.NaN;
    edges[graph.edgeName(u, v)] = { score: Number.isFinite(score) ? score : null, in_graph: circuit.has(u, v) };
  }
  return {
    cfg: {
      n_layers: graph.layers,
      n_heads: graph.heads,
      parallel_attn_mlp: graph.block === 'parallel',
      d_model: graph.width,
    },
    nodes: Object.fromEntries(names.map((name) => [name, { in_graph: kept.has(name) }])),
    edges,
    limn: { sign: 'positive-helps', ...provenance },
  };
}

/**
 * Reads a graph file of either generation: nodes as objects or as booleans, scores as numbers, null or Python's bare
 * `NaN`, `d_model` missing.
 * @throws LimnError `data/graph-json` (not JSON, wrong shape), `data/graph-shape`, `data/unknown-edge`, `data/graph-incomplete`
 */
export function parseGraphJson(text: string): ParsedGraph {
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
  for (const [name, node] of Object.entries(nodes)) {
    if (name !== 'logits') graph.forwardIndex(name);
    if (typeof node !== 'boolean') flag(record(node, `node "${name}"`).in_graph, `"in_graph" of node "${name}"`);
  }
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
  return {
    graph,
    circuit: new Circuit(graph, mask),
    scores: { graph, values },
    ...(file.limn === undefined ? {} : { provenance: record(file.limn, '"limn"') as unknown as GraphProvenance }),
    notes,
  };
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
