// The causal check: what a graph predicts of changed features, beside what the model does when they are changed.
import { LimnError } from '@limn/gpu';
import { inBatches, settleControls, tokenBatch, type RunControls } from '@limn/hooks';
import type { AttributionGraph } from './attribution-graph.js';
import { edgesInto } from './edges-into.js';
import { incomingEdges } from './edge-matrix.js';
import { featureChanges, type ChangeOptions, type FeatureChange } from './feature-change.js';
import type { FrozenPrompt } from './frozen-prompt.js';
import type { FeatureNode } from './graph-node.js';
import { logitOutputs, type GraphOutput } from './graph-output.js';
import { graphSources } from './graph-sources.js';
import type { GraphTarget } from './graph-target.js';
import { targetRequest, targetValues } from './target-values.js';

/** How values of targets change, predicted and measured: of features the pre-activation, of outputs the logit (difference). */
export interface FeatureEffect {
  readonly changes: readonly FeatureChange[];
  /** Through attention and the stream alone, [targets]: Σ (value − a)·∂t/∂a of the changes. */
  readonly direct: Float64Array;
  /** By way of the graph's features too, as if each went on as it fires, [targets]. */
  readonly total: Float64Array;
  /** Less a run without changes, [targets]. */
  readonly measured: Float64Array;
}

/** Effects of sets of changes on the rows of a graph. */
export interface FeatureEffects {
  /** The graph's features in the order of its rows, then its outputs. */
  readonly targets: readonly GraphTarget[];
  readonly layers: number;
  readonly effects: readonly FeatureEffect[];
}

/** Options of `featureEffects`. */
export interface EffectOptions extends ChangeOptions, RunControls {
  /** The outputs that the graph was made with. Default: `logitOutputs`. */
  readonly outputs?: readonly GraphOutput[];
}

/**
 * Makes each set of changes in a row of its own and measures all targets of the graph, beside a row without changes. Under `constrained`
 * measured is `direct`, to rounding; under the other modes it is to be compared with `total`.
 * @throws LimnError `usage/feature-change`; `usage/graph-outputs` for outputs that are not the graph's; `usage/graph-skips` for a graph whose
 * skip connections are sources; `usage/graph-target`, `usage/graph-logits`, `usage/batch-size`, `usage/memory`, `memory/over-budget`, `gpu/…`; AbortedError
 */
export async function featureEffects(
  prompt: FrozenPrompt,
  graph: AttributionGraph,
  sets: readonly (readonly FeatureChange[])[],
  options: EffectOptions = {},
): Promise<FeatureEffects> {
  const { outputs = logitOutputs(prompt), signal } = options;
  const targets = targetsOf(graph, outputs);
  // Checks every change before anything runs.
  featureChanges(prompt, sets, options);
  const request = targetRequest(prompt, targets);
  const units = await unitEdges(prompt, sets.flat(), targets, options);
  const effects: FeatureEffect[] = [];
  await inBatches(
    prompt.model.gpu,
    sets,
    {
      what: 'Effects of features',
      unit: 'set',
      label: 'effects of features',
      lengthOf: () => prompt.length,
      record(step, batch) {
        const rows = [[], ...batch];
        const tokens = tokenBatch(
          rows.map(() => prompt.tokens),
          prompt.model.info,
        );
        const logits = rows.flatMap((_, b) => request.positions.map((position) => b * prompt.length + position));
        const run = prompt.model.run(
          step,
          { tokens },
          {
            interventions: featureChanges(prompt, rows, options),
            capture: request.capture,
            logits: logits.length > 0 ? logits : 'none',
          },
        );
        return { batch, run };
      },
      async take(step, { batch, run }, places) {
        const values = await targetValues(step, prompt, run, request, targets);
        const n = targets.length;
        for (const [i, changes] of batch.entries()) {
          const measured = Float64Array.from(
            { length: n },
            (_, t) => (values[(i + 1) * n + t] as number) - (values[t] as number),
          );
          effects[places[i] as number] = { changes, ...predict(prompt, graph, changes, units), measured };
        }
      },
    },
    { ...options, ...settleControls(options), signal },
  );
  return { targets, layers: graph.layers, effects };
}

function targetsOf({ nodes, edges }: AttributionGraph, outputs: readonly GraphOutput[]): GraphTarget[] {
  const ends = nodes.filter((node) => node.kind === 'output');
  if (ends.length !== outputs.length || ends.some(({ label }, i) => label !== outputs[i]?.label))
    throw new LimnError('usage/graph-outputs', 'The outputs given are not those of the graph.', {
      details: { given: outputs.map(({ label }) => label), graph: ends.map(({ label }) => label) },
      hint: 'Give the outputs that the graph was made with.',
    });
  if (nodes.some(({ kind }) => kind === 'skip'))
    throw new LimnError('usage/graph-skips', 'This graph ends at skip connections, through which changes run on.', {
      hint: "Make the graph with skips: 'through'.",
    });
  const features = [...edges.targets].flatMap((place): GraphTarget[] => {
    const node = nodes[place];
    return node?.kind === 'feature'
      ? [{ kind: 'feature', layer: node.layer, position: node.position, feature: node.feature }]
      : [];
  });
  return [...features, ...outputs.map(({ target }) => target)];
}

const keyOf = ({ layer, position, feature }: Omit<FeatureChange, 'value'>): string => `${layer} ${position} ${feature}`;

/** ∂t/∂a of every feature that is changed, by feature: [targets]. Also of features that do not fire. */
async function unitEdges(
  prompt: FrozenPrompt,
  changes: readonly FeatureChange[],
  targets: readonly GraphTarget[],
  options: RunControls,
): Promise<ReadonlyMap<string, Float64Array>> {
  const distinct = [...new Map(changes.map((change) => [keyOf(change), change])).values()];
  const firing = prompt.layers.map((_, l) =>
    distinct
      .filter(({ layer }) => layer === l)
      .sort((a, b) => a.position - b.position || a.feature - b.feature)
      .map(({ position, feature }) => ({ position, feature, activation: 1 })),
  );
  const sources = await graphSources(prompt, { firing, signal: options.signal });
  try {
    const { weights } = await edgesInto(prompt, sources, targets, { ...options, onProgress: undefined });
    const width = sources.nodes.length;
    return new Map(
      sources.nodes
        .slice(0, sources.features)
        .map((node, s) => [
          keyOf(node as FeatureNode),
          Float64Array.from(targets, (_, t) => weights[t * width + s] as number),
        ]),
    );
  } finally {
    sources.dispose();
  }
}

/** Direct effects, and those that features hand on: Δ_t = direct_t + Σ_m Δ_m/a_m·edge(m → t) over features that are not set themselves. */
function predict(
  prompt: FrozenPrompt,
  { nodes, edges }: AttributionGraph,
  changes: readonly FeatureChange[],
  units: ReadonlyMap<string, Float64Array>,
): Pick<FeatureEffect, 'direct' | 'total'> {
  const direct = new Float64Array(edges.targets.length);
  for (const change of changes) {
    const fired = prompt.host.firing[change.layer]?.find(
      (each) => keyOf({ ...each, layer: change.layer }) === keyOf(change),
    );
    const unit = units.get(keyOf(change)) as Float64Array;
    for (const t of direct.keys())
      direct[t] = (direct[t] as number) + (change.value - (fired?.activation ?? 0)) * (unit[t] as number);
  }
  const set = new Set(changes.map(keyOf));
  const total = Float64Array.from(direct);
  // Rows are features by layer, then outputs: whatever hands on is complete before it is handed on.
  const moved = new Float64Array(edges.sources);
  for (const [t, place] of edges.targets.entries()) {
    let handed = 0;
    for (const [s, weight] of incomingEdges(edges, t).entries())
      if (moved[s] !== 0) handed += (moved[s] as number) * weight;
    total[t] = (total[t] as number) + handed;
    const node = nodes[place];
    if (node?.kind === 'feature' && !set.has(keyOf(node))) moved[place] = (total[t] as number) / node.activation;
  }
  return { direct, total };
}
