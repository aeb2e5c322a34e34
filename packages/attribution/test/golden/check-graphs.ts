// Graph files of ours for the reference to load and measure (make-upstream.py --check): `npx tsx check-graphs.ts DIR` writes them, interop.test.ts makes the same text.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Circuit, buildGraph, graphToJson, prune, selectTopN, selectTopNeurons } from '../../src/index.js';
import type { Graph, RunnableCircuit, Scores } from '../../src/index.js';

/** One file, and what is in it. */
export interface CheckedGraph {
  readonly text: string;
  readonly circuit: RunnableCircuit;
}

const SHAPES = {
  wave: { layers: 3, heads: 3, width: 72, block: 'sequential' },
  pocket: { layers: 3, heads: 4, width: 64, block: 'sequential' },
} as const;
const SCORES = { wave: 'eap-ig-upstream.json', pocket: 'eap-ig-pocket.json' } as const;

/** The files of a model by name: chosen edges, edges before pruning, chosen neurons, and neurons on some edges only. */
export function checkGraphs(model: 'wave' | 'pocket'): Readonly<Record<string, CheckedGraph>> {
  const graph = buildGraph(SHAPES[model]);
  const scores = recordedScores(graph, SCORES[model]);
  const units = graph.nForward * graph.width;
  const neurons = Float64Array.from({ length: units }, (_, i) => Math.fround(Math.sin(12.9898 * (i + 1))));
  // One node without a score, which upstream keeps.
  neurons.fill(Number.NaN, 2 * graph.width, 3 * graph.width);
  const values = Float64Array.from({ length: graph.nForward }, (_, u) => (u === 2 ? Number.NaN : u / 4));
  const nodeScores = { graph, values };
  const chosen = selectTopNeurons({ graph, values: neurons }, Math.round(0.7 * units));
  const fewer = { circuit: Circuit.where(graph, (u, v) => (u * 7 + v * 5) % 4 !== 0), neurons: chosen.neurons };
  const circuits: Record<string, RunnableCircuit> = {
    edges: prune(selectTopN(scores, 40)),
    'before-pruning': selectTopN(scores, 24, { ranking: 'signed' }),
    neurons: chosen,
    'neurons-on-some-edges': fewer,
  };
  return Object.fromEntries(
    Object.entries(circuits).map(([name, circuit]) => {
      const json = graphToJson({ scores, circuit, ...('neurons' in circuit && { nodeScores }) });
      return [`${model}-${name}`, { text: JSON.stringify(json), circuit }];
    }),
  );
}

/** EAP-IG's scores under the logit difference, as the reference gave them. */
function recordedScores(graph: Graph, file: string): Scores {
  const { edges, scores } = JSON.parse(readFileSync(new URL(file, import.meta.url), 'utf8')) as {
    readonly edges: readonly string[];
    readonly scores: Readonly<Record<string, readonly number[]>>;
  };
  const values = new Float64Array(graph.nForward * graph.nBackward).fill(Number.NaN);
  for (const [i, name] of edges.entries()) {
    const { u, v } = graph.parseEdge(name);
    values[graph.dense(u, v)] = scores['ld/EAP-IG-inputs']?.[i] ?? Number.NaN;
  }
  return { graph, values };
}

const folder = process.argv[2];
if (process.argv[1]?.endsWith('check-graphs.ts') && folder)
  for (const model of ['wave', 'pocket'] as const)
    for (const [name, { text }] of Object.entries(checkGraphs(model)))
      writeFileSync(join(folder, `${name}.json`), text);
