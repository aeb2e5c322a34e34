// Whether an attribution graph is right: its strongest features are changed in the model, and what happens is held against what it says.
import { LimnError } from '@limn/gpu';
import type { RunControls } from '@limn/hooks';
import {
  featureEffects,
  graphNodeName,
  influenceGraph,
  matchedFeatures,
  nodeInfluence,
  summarizeEffects,
  type AttributionGraph,
  type EffectSummary,
  type FeatureChange,
  type FeatureEffects,
  type FeatureNode,
  type FrozenPrompt,
  type GraphOutput,
} from '@limn/transcoders';

/** How far direct effects may be from what was predicted where nothing but they can happen, relative to what happens. */
export const FROZEN_TOLERANCE = 1e-3;

/** Effects of some features. */
export interface CheckedEffects {
  /** Predicted beside measured in the model as it is, by depth. */
  readonly rows: readonly EffectSummary[];
  /** Mean size of what happens to an output. */
  readonly onOutputs: number;
  readonly features: number;
}

/** What a check found. */
export interface CausalCheck {
  /** The features that were negated, one at a time, the most influential first. */
  readonly changed: readonly string[];
  /** With patterns, scales and other MLPs held: ‖predicted − measured‖ over ‖measured‖ of the worst change, or over a thousandth of ‖values‖ where that is more. */
  readonly frozen: { readonly worst: number; readonly tolerance: number };
  readonly strongest: CheckedEffects;
  /** Other features that fire at the same places about as strongly; none where no other fires there. */
  readonly matched?: CheckedEffects;
}

/**
 * Gives each of the graph's most influential features its activation times −1: first with everything but direct effects held, then in the
 * model as it is, beside random features of matched activation.
 * @throws LimnError `data/feature-check` when direct effects are not what the edges say; `usage/feature-check` for a graph without
 * features; as `featureEffects`; AbortedError
 */
export async function causalCheck(
  prompt: FrozenPrompt,
  graph: AttributionGraph,
  {
    outputs,
    features: most,
    seed,
    ...controls
  }: RunControls & {
    readonly outputs: readonly GraphOutput[];
    readonly features: number;
    readonly seed: number;
  },
): Promise<CausalCheck> {
  const strongest = strongestFeatures(graph, most);
  if (strongest.length === 0)
    throw new LimnError(
      'usage/feature-check',
      'no feature of this graph has any influence: there is nothing to check',
      {
        hint: 'leave --check out, or raise --max-features',
      },
    );
  const sets = strongest.map((node): FeatureChange[] => [{ ...placeOf(node), value: -node.activation }]);
  const held = await featureEffects(prompt, graph, sets, { ...controls, outputs, mode: 'constrained' });
  const worst = worstOf(held, graph);
  if (!(worst <= FROZEN_TOLERANCE))
    throw new LimnError(
      'data/feature-check',
      `With patterns, scales and other MLPs held, changed features do ${worst.toExponential(1)} other than the graph's edges say, where ${FROZEN_TOLERANCE} is allowed`,
      {
        details: { worst, tolerance: FROZEN_TOLERANCE },
        hint: 'does the model compute something between its hook sites that is not named? `limn doctor --model` checks the model',
      },
    );
  const free = await featureEffects(prompt, graph, sets, { ...controls, outputs, mode: 'free' });
  const others = strongest.flatMap((node, i) =>
    matchedFeatures(prompt, node, { count: 1, seed: seed + i }).map((firing): FeatureChange[] => [
      { layer: node.layer, position: firing.position, feature: firing.feature, value: -firing.activation },
    ]),
  );
  const beside =
    others.length === 0
      ? undefined
      : await featureEffects(prompt, graph, others, { ...controls, outputs, mode: 'free' });
  return {
    changed: strongest.map(graphNodeName),
    frozen: { worst, tolerance: FROZEN_TOLERANCE },
    strongest: effectsOf(free, outputs.length),
    ...(beside ? { matched: effectsOf(beside, outputs.length) } : {}),
  };
}

const placeOf = ({ layer, position, feature }: FeatureNode): Omit<FeatureChange, 'value'> => ({
  layer,
  position,
  feature,
});

/** Features with influence on the outputs, the most influential first. */
export function strongestFeatures(graph: AttributionGraph, most: number): FeatureNode[] {
  const influence = nodeInfluence(influenceGraph(graph));
  return graph.nodes
    .flatMap((node, i) => (node.kind === 'feature' && (influence[i] as number) > 0 ? [{ node, i }] : []))
    .sort((a, b) => (influence[b.i] as number) - (influence[a.i] as number) || a.i - b.i)
    .slice(0, most)
    .map(({ node }) => node);
}

/** Effects below this part of the targets' own values are as exact as those can be told apart in f32, which is not asked for more. */
const LEAST_EFFECT = 1e-3;

/** Over sets; a changed feature itself is no target of its own edges. */
function worstOf({ targets, effects }: FeatureEffects, { accounting }: AttributionGraph): number {
  const least = LEAST_EFFECT * Math.sqrt(accounting.reduce((sum, { value }) => sum + value ** 2, 0));
  return Math.max(
    ...effects.map(({ changes, direct, measured }) => {
      let [off, size] = [0, 0];
      for (const [t, target] of targets.entries()) {
        const own =
          target.kind === 'feature' &&
          changes.some(
            ({ layer, position, feature }) =>
              layer === target.layer && position === target.position && feature === target.feature,
          );
        if (own) continue;
        off += ((direct[t] as number) - (measured[t] as number)) ** 2;
        size += (measured[t] as number) ** 2;
      }
      return Math.sqrt(off) / Math.max(Math.sqrt(size), least);
    }),
  );
}

/** Outputs come behind the graph's features. */
function effectsOf(found: FeatureEffects, outputs: number): CheckedEffects {
  const { effects } = found;
  const total = effects.reduce(
    (sum, { measured }) => sum + measured.slice(measured.length - outputs).reduce((part, x) => part + Math.abs(x), 0),
    0,
  );
  return {
    rows: summarizeEffects(found),
    onOutputs: total / (effects.length * outputs),
    features: effects.length,
  };
}
