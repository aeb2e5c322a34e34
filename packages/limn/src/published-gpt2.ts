// Published figures of EAP and EAP-IG on GPT-2 small and greater-than: those that the notebook of the EAP-IG repository prints, and how they are measured here.
import {
  evaluateCircuits,
  onlyOptionsOf,
  probDiff,
  prune,
  scoreEdges,
  selectTopN,
  type Circuit,
  type MethodName,
  type Pair,
  type ScoreEdgesOptions,
} from '@limn/attribution';
import type { HookedModel } from '@limn/hooks';
import type { PipelineControls } from './circuit-request.js';
import { figure, type VerifiedFigure } from './verified-figure.js';

/** Edges of each circuit by |score|, before pruning. */
const EDGES = 200;
/** The metric of the whole model, and of the three pruned circuits, whose figures move where round-off turns the order of two edges. */
const BASELINE = { published: 0.8143, tolerance: 0.001 } as const;
const CIRCUITS = [
  { method: 'eap', label: 'EAP', published: 0.6563 },
  { method: 'clean-corrupted', label: 'clean-corrupted', published: 0.6858 },
  { method: 'eap-ig-inputs', label: 'EAP-IG', published: 0.7449 },
] as const satisfies readonly { readonly method: MethodName; readonly label: string; readonly published: number }[];
const CIRCUIT_TOLERANCE = 0.005;
/** The points of EAP-IG: m = 5, from the corrupted end, k = 0 … 4. */
const PATH: Pick<ScoreEdgesOptions, 'steps' | 'rule'> = { steps: 5, rule: 'left' };
/** Of the data, of GPT-2 small's graph, and of EAP-IG's pruned circuit; its nodes are counted with `input` and without `logits`. */
const COUNTS = { pairs: 1000, graphEdges: 32_491, edges: 150, nodes: 29 } as const;

/**
 * Measures every published figure: prob-diff of the whole model, and of the top 200 edges by |score| of EAP, clean-corrupted and EAP-IG
 * (m = 5, left), pruned, with everything else corrupted; found and measured on the same pairs, as published.
 * @throws LimnError as `scoreEdges` and `evaluateCircuits`; AbortedError
 */
export async function verifyGpt2(
  model: HookedModel,
  pairs: readonly Pair[],
  { signal, onProgress }: PipelineControls = {},
): Promise<readonly VerifiedFigure[]> {
  const controls = (phase: string) => ({
    signal,
    onProgress:
      onProgress &&
      (({ unit, done, total }: { unit: string; done: number; total: number }) =>
        onProgress({ phase, unit, done, total })),
  });
  const circuits: Circuit[] = [];
  for (const { method, label } of CIRCUITS) {
    const scores = await scoreEdges(model, pairs, {
      ...controls(`scores by ${label}`),
      ...onlyOptionsOf(method, PATH),
      method,
      metric: probDiff,
    });
    circuits.push(prune(selectTopN(scores, EDGES)));
  }
  const measured = await evaluateCircuits(model, circuits, pairs, { ...controls('circuits'), metrics: [probDiff] });
  const mean = (values: { readonly mean: Readonly<Record<string, number>> } | undefined): number =>
    values?.mean[probDiff.name] ?? Number.NaN;
  const [ig] = circuits.slice(-1) as [Circuit];
  return [
    figure('pairs of prompts', COUNTS.pairs, 0, pairs.length),
    figure('edges of the whole graph', COUNTS.graphEdges, 0, ig.graph.edgeCount),
    figure('prob-diff of the whole model', BASELINE.published, BASELINE.tolerance, mean(measured.clean)),
    ...CIRCUITS.map(({ label, published }, i) =>
      figure(`prob-diff of the top ${EDGES} by ${label}`, published, CIRCUIT_TOLERANCE, mean(measured.circuits[i])),
    ),
    figure('edges of the EAP-IG circuit, pruned', COUNTS.edges, 0, ig.edgeCount),
    figure('nodes of the EAP-IG circuit, pruned', COUNTS.nodes, 0, ig.sources().length),
  ];
}
