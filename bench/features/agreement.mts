// The causal check over several prompts: features negated one at a time, what graphs predict beside what happens, for the most influential features and for random ones.
import {
  agreementOf,
  featureEffects,
  matchedFeatures,
  type AttributionGraph,
  type FeatureChange,
  type FeatureEffect,
  type FeatureEffects,
  type FrozenPrompt,
} from '@limn/transcoders';
import { strongestFeatures } from 'limn';
import type { PromptGraph } from './prompt-graph.mjs';
import type { AgreementFinding, CheckPoint } from './study.mjs';

/** Features of each prompt. */
const FEATURES = 10;

type Depth = AgreementFinding['rows'][number]['depth'];

const GROUPS = ['strongest', 'matched'] as const;
const MODES = ['attention held', 'as it is'] as const;
type Group = (typeof GROUPS)[number];
const listName = (group: Group, mode: (typeof MODES)[number]): string => `${group}, ${mode}`;

/** What the check of one prompt gave. */
export interface PromptCheck {
  /** By group and mode, then depth: what is predicted and what is measured. */
  readonly lists: Readonly<Record<string, readonly (readonly [Depth, readonly number[], readonly number[]])[]>>;
  readonly points: readonly CheckPoint[];
  /** Worst distance of direct effects from what edges say, where nothing else can happen. */
  readonly frozen: number;
}

/** One prompt: every change in a row of its own, under each mode. */
export async function checkPrompt(
  prompt: FrozenPrompt,
  { graph, output, answers }: PromptGraph,
  seed: number,
): Promise<PromptCheck> {
  const changes = changesOf(prompt, graph, seed);
  const sets = GROUPS.flatMap((group) => changes[group]);
  const outputs = [output];
  const frozen = worstDirect(await featureEffects(prompt, graph, sets, { outputs, mode: 'constrained' }));
  const held = await featureEffects(prompt, graph, sets, { outputs, mode: 'free', attention: 'frozen' });
  const free = await featureEffects(prompt, graph, sets, { outputs, mode: 'free' });
  const lists: Record<string, [Depth, number[], number[]][]> = {};
  const points: CheckPoint[] = [];
  let first = 0;
  for (const [g, group] of GROUPS.entries()) {
    const end = first + changes[group].length;
    for (const [mode, found] of [
      ['attention held', held],
      ['as it is', free],
    ] as const)
      lists[listName(group, mode)] = byDepth({ ...found, effects: found.effects.slice(first, end) });
    for (let e = first; e < end; e++) {
      const [a, b] = [held.effects[e], free.effects[e]] as [FeatureEffect, FeatureEffect];
      const last = ({ total, measured }: FeatureEffect): [number, number] =>
        [total, measured].map((values) => (values.at(-1) as number) / answers) as [number, number];
      points.push([g as 0 | 1, last(b)[0], last(a)[1], last(b)[1]]);
    }
    first = end;
  }
  return { lists, points, frozen };
}

/** The checks of several prompts as one. */
export function agreementFindings(checks: readonly PromptCheck[]): AgreementFinding[] {
  return GROUPS.flatMap((group) =>
    MODES.map((mode) => {
      const all = new Map<Depth, { readonly predicted: number[]; readonly measured: number[] }>();
      for (const { lists } of checks)
        for (const [depth, predicted, measured] of lists[listName(group, mode)] ?? []) {
          const list = all.get(depth) ?? { predicted: [], measured: [] };
          all.set(depth, list);
          list.predicted.push(...predicted);
          list.measured.push(...measured);
        }
      return {
        group,
        mode,
        rows: [...all]
          .sort(([a], [b]) => (a === 'output' ? 9 : Number(a)) - (b === 'output' ? 9 : Number(b)))
          .map(([depth, { predicted, measured }]) => ({
            depth,
            ...agreementOf(predicted, measured),
            size: measured.reduce((sum, each) => sum + Math.abs(each), 0) / measured.length,
          })),
      };
    }),
  );
}

/** The most influential features, each negated; and as many random ones of matched activation that are not among them. */
function changesOf(prompt: FrozenPrompt, graph: AttributionGraph, seed: number): Record<Group, FeatureChange[][]> {
  const strongest = strongestFeatures(graph, FEATURES);
  const taken = new Set(strongest.map(({ layer, position, feature }) => `${layer}/${feature}@${position}`));
  const negated = (layer: number, position: number, feature: number, activation: number): FeatureChange[] => [
    { layer, position, feature, value: -activation },
  ];
  const matched = strongest.flatMap((node, i) => {
    const other = matchedFeatures(prompt, node, { count: FEATURES, seed: seed * FEATURES + i }).find(
      ({ feature, position }) => !taken.has(`${node.layer}/${feature}@${position}`),
    );
    if (!other) return [];
    taken.add(`${node.layer}/${other.feature}@${other.position}`);
    return [negated(node.layer, other.position, other.feature, other.activation)];
  });
  return {
    strongest: strongest.map(({ layer, position, feature, activation }) =>
      negated(layer, position, feature, activation),
    ),
    matched,
  };
}

/** Of targets that a change can reach: layers behind it and at no earlier position. */
function byDepth({ targets, effects }: FeatureEffects): [Depth, number[], number[]][] {
  const lists = new Map<Depth, [number[], number[]]>();
  for (const { changes, total, measured } of effects) {
    const [changed] = changes as [FeatureChange];
    for (const [t, target] of targets.entries()) {
      if (target.position < changed.position) continue;
      const depth = target.kind === 'feature' ? target.layer - changed.layer : 'output';
      if (depth !== 'output' && depth <= 0) continue;
      const list = lists.get(depth) ?? [[], []];
      lists.set(depth, list);
      list[0].push(total[t] as number);
      list[1].push(measured[t] as number);
    }
  }
  return [...lists].map(([depth, [predicted, measured]]) => [depth, predicted, measured]);
}

/** ‖direct − measured‖/‖measured‖ of the worst change. */
function worstDirect({ effects, targets }: FeatureEffects): number {
  return Math.max(
    ...effects.map(({ changes, direct, measured }) => {
      const [changed] = changes as [FeatureChange];
      let [off, size] = [0, 0];
      for (const [t, target] of targets.entries()) {
        if (target.kind === 'feature' && target.layer <= changed.layer) continue;
        off += ((direct[t] as number) - (measured[t] as number)) ** 2;
        size += (measured[t] as number) ** 2;
      }
      return size === 0 ? 0 : Math.sqrt(off / size);
    }),
  );
}
