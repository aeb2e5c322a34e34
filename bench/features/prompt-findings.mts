// Graphs of some of the prompts that circuits are found on: scores before and after pruning, the causal check, paths of one prompt and its drawing.
import type { HookedModel } from '@limn/hooks';
import {
  graphNodeName,
  graphScores,
  influenceGraph,
  pathNodeName,
  pruneGraph,
  searchPaths,
  worstResidual,
  type AttributionGraph,
  type Dictionary,
  type FrozenPrompt,
  type GraphNode,
} from '@limn/transcoders';
import type { Pair } from '@limn/tasks';
import { checkPrompt, type PromptCheck } from './agreement.mjs';
import { graphOfPrompt, type PromptGraph } from './prompt-graph.mjs';
import type { RankedUnit } from './rankings.mjs';
import type { DrawnGraph, GraphFindings, PathFinding } from './study.mjs';

/** What a graph's influence is pruned to. */
const THRESHOLDS = [0.95, 0.8, 0.6];

const isIn = (node: GraphNode, features: readonly RankedUnit[]): boolean =>
  node.kind === 'feature' && features.some(({ layer, unit }) => layer === node.layer && unit === node.feature);

/** Everything that is asked of one prompt. */
export interface PromptFinding {
  readonly scores: PromptScores;
  readonly check: PromptCheck;
  /** Of the prompt that is drawn. */
  readonly shown?: { readonly paths: readonly PathFinding[]; readonly drawn: DrawnGraph };
}

interface PromptScores {
  readonly worstResidual: number;
  readonly whole: GraphFindings['whole'];
  readonly pruned: GraphFindings['pruned'];
}

/** A prompt's graph: its scores, its causal check, and of the one that is drawn its paths too. */
export function promptFinding(
  model: HookedModel,
  dictionaries: readonly Dictionary[],
  pair: Pair,
  request: {
    readonly features: readonly RankedUnit[];
    readonly seed: number;
    readonly drawn: boolean;
    readonly show: (id: number) => string;
    readonly output: string;
  },
): Promise<PromptFinding> {
  return graphOfPrompt(model, dictionaries, pair, async (prompt, found) => ({
    scores: scoresOf(found.graph, request.features),
    check: await checkPrompt(prompt, found, request.seed),
    ...(request.drawn
      ? { shown: { paths: await pathFindings(prompt, found), drawn: drawnGraph(found.graph, request) } }
      : {}),
  }));
}

function scoresOf(graph: AttributionGraph, features: readonly RankedUnit[]): PromptScores {
  const influence = influenceGraph(graph);
  const count = (mask: ArrayLike<number>, test: (i: number) => boolean = () => true): number =>
    Array.from(mask).reduce((sum, kept, i) => (kept !== 0 && test(i) ? sum + 1 : sum), 0);
  const own = graph.nodes.flatMap((node, i) => (isIn(node, features) ? [i] : []));
  return {
    worstResidual: worstResidual(graph),
    whole: {
      ...graphScores(influence),
      features: graph.nodes.filter(({ kind }) => kind === 'feature').length,
      edges: count(graph.edges.weights),
    },
    pruned: THRESHOLDS.map((threshold) => {
      const kept = pruneGraph(influence, { nodeThreshold: threshold });
      const of = (kind: GraphNode['kind']): number => count(kept.nodes, (i) => graph.nodes[i]?.kind === kind);
      return {
        threshold,
        ...graphScores(influence, { nodes: kept.nodes, edges: kept.edges }),
        features: of('feature'),
        errors: of('error'),
        edges: count(kept.edges),
        circuit: own.filter((i) => kept.nodes[i] === 1).length / own.length,
      };
    }),
  };
}

/** Means over prompts. */
export function graphFindings(all: readonly PromptScores[]): GraphFindings {
  const average = (value: (scores: PromptScores) => number): number =>
    all.reduce((sum, scores) => sum + value(scores), 0) / all.length;
  return {
    prompts: all.length,
    worstResidual: Math.max(...all.map((each) => each.worstResidual)),
    whole: {
      replacement: average(({ whole }) => whole.replacement),
      completeness: average(({ whole }) => whole.completeness),
      features: average(({ whole }) => whole.features),
      edges: average(({ whole }) => whole.edges),
    },
    pruned: THRESHOLDS.map((threshold, i) => {
      const over = (key: keyof GraphFindings['pruned'][number]): number =>
        average(({ pruned }) => (pruned[i] as GraphFindings['pruned'][number])[key]);
      return {
        threshold,
        replacement: over('replacement'),
        completeness: over('completeness'),
        features: over('features'),
        errors: over('errors'),
        edges: over('edges'),
        circuit: over('circuit'),
      };
    }),
  };
}

/** Paths listed of each length. */
const LISTED = 6;

/** The paths that bring most to the answer, as the paper follows them. */
async function pathFindings(prompt: FrozenPrompt, { output, answers }: PromptGraph): Promise<PathFinding[]> {
  const { byLength } = await searchPaths(prompt, output.target, 'answer', { iterations: 3, branches: 15 });
  return byLength.slice(1).flatMap((paths) =>
    paths.slice(0, LISTED).map(({ steps }) => ({
      path: steps.map(({ node }) => pathNodeName(node)).join(' ← '),
      attribution: (steps.at(-1)?.attribution as number) / answers,
    })),
  );
}

/** Nodes that a drawing has at most, without tokens and positions. */
const DRAWN_NODES = 40;

/** A graph pruned to as much influence as a drawing has room for. */
function drawnGraph(
  graph: AttributionGraph,
  {
    features,
    show,
    output,
  }: { readonly features: readonly RankedUnit[]; readonly show: (id: number) => string; readonly output: string },
): DrawnGraph {
  const influence = influenceGraph(graph);
  const movable = (mask: Uint8Array): number =>
    graph.nodes.reduce((n, { kind }, i) => (mask[i] && (kind === 'feature' || kind === 'error') ? n + 1 : n), 0);
  const steps = Array.from({ length: 19 }, (_, i) => 0.95 - 0.05 * i);
  const [threshold, kept] = steps
    .map((node) => [node, pruneGraph(influence, { nodeThreshold: node, edgeThreshold: 0.9 })] as const)
    .find(([, { nodes }]) => movable(nodes) <= DRAWN_NODES) as [number, ReturnType<typeof pruneGraph>];
  const { sources, targets, weights } = graph.edges;
  const touched = new Set<number>();
  for (const [row, target] of targets.entries())
    for (let s = 0; s < sources; s++) if (kept.edges[row * sources + s]) touched.add(s).add(target);
  const places = [...graph.nodes.keys()].filter((i) => kept.nodes[i] === 1 && touched.has(i));
  const placeOf = new Map(places.map((node, i) => [node, i]));
  return {
    prompt: graph.prompt.map(show),
    layers: graph.layers,
    threshold,
    output,
    nodes: places.map((i) => {
      const node = graph.nodes[i] as GraphNode;
      const { kind } = node;
      if (kind === 'bias' || kind === 'skip') throw new Error(`a ${kind} is no part of what pruning keeps here`);
      return {
        name: graphNodeName(node),
        kind,
        layer: kind === 'output' ? graph.layers : kind === 'feature' || kind === 'error' ? node.layer : -1,
        position: node.position,
        inCircuit: isIn(node, features),
      };
    }),
    edges: [...targets].flatMap((target, row) =>
      places.flatMap((s): DrawnGraph['edges'] =>
        s < sources && kept.edges[row * sources + s]
          ? [[placeOf.get(s) as number, placeOf.get(target) as number, weights[row * sources + s] as number]]
          : [],
      ),
    ),
  };
}
