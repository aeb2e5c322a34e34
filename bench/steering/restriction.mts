// ActivScalar over heads and MLPs kept to the nodes of the task's EAP-IG circuit, and to as many random nodes.
import { eapIgInputs, logitDiff, prune, selectTopN, smallestCircuit, type Circuit } from '@limn/attribution';
import { blockHook, type HookedModel } from '@limn/hooks';
import { type EntitySplit, type SteeredPart, type SteeringCandidate } from '@limn/steering';
import { generatePairs } from '@limn/tasks';
import { permutation } from '@limn/tensor';
import { learn, type LearningSettings } from './learnt.mjs';
import type { StudyTask } from './study.mjs';

/** How many of what a circuit has. */
export interface RestrictedRows {
  readonly heads: number;
  readonly mlps: number;
  readonly circuit: readonly SteeringCandidate[];
  readonly random: readonly SteeringCandidate[];
}

/** Learns twice as the row 'ActivScalar, by head' does, with the same seed and settings. */
export async function restricted(
  model: HookedModel,
  task: StudyTask,
  split: EntitySplit,
  settings: LearningSettings,
): Promise<RestrictedRows> {
  const { layers, heads } = model.info;
  const circuit = await taskCircuit(model, task, settings.seed);
  const nodes = partsOf(circuit, layers, heads);
  const counted = {
    heads: nodes.filter(({ head }) => head !== undefined).length,
    mlps: nodes.filter(({ head }) => head === undefined).length,
  };
  const all: Node[] = Array.from({ length: layers }, (_, layer) => [
    ...Array.from({ length: heads }, (_unused, head) => ({ layer, head })),
    { layer, head: undefined },
  ]).flat();
  const drawn = (kind: 'heads' | 'mlps', stream: number) => {
    const of = all.filter(({ head }) => (head === undefined) === (kind === 'mlps'));
    return [...permutation(of.length, { seed: settings.seed, stream })]
      .slice(0, counted[kind])
      .map((i) => of[i] as (typeof of)[number]);
  };
  const within = (only: readonly SteeredPart[]) => learn(model, split, 'ActivScalar, by head', { ...settings, only });
  return {
    ...counted,
    circuit: await within(asParts(nodes)),
    random: await within(asParts([...drawn('heads', 1), ...drawn('mlps', 2)])),
  };
}

/** The smallest circuit that keeps 85 % of the task, by EAP-IG; the forty strongest edges where none does. */
async function taskCircuit(model: HookedModel, task: StudyTask, seed: number): Promise<Circuit> {
  const pairs = generatePairs(task, { seed, n: 24, split: 'train' });
  const scores = await eapIgInputs(model, pairs, { metric: logitDiff, steps: 5 });
  const found = await smallestCircuit(model, scores, pairs, { metric: logitDiff, threshold: 0.85 });
  return found.circuit ?? prune(selectTopN(scores, 40));
}

interface Node {
  readonly layer: number;
  readonly head: number | undefined;
}

/** Heads and MLPs that write into an edge of the circuit. */
function partsOf(circuit: Circuit, layers: number, heads: number): Node[] {
  const sources = new Set([...circuit.graph.edges()].filter(({ u, v }) => circuit.has(u, v)).map(({ u }) => u));
  const perLayer = heads + 1;
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: perLayer }, (_unused, i): Node => ({ layer, head: i < heads ? i : undefined })).filter(
      (_node, i) => sources.has(1 + layer * perLayer + i),
    ),
  ).flat();
}

function asParts(nodes: readonly Node[]): SteeredPart[] {
  const layers = [...new Set(nodes.map(({ layer }) => layer))];
  return layers.flatMap((layer): SteeredPart[] => {
    const units = nodes.flatMap((node) => (node.layer === layer && node.head !== undefined ? [node.head] : []));
    return [
      ...(units.length > 0 ? [{ at: blockHook(layer, 'attn.hook_z'), units }] : []),
      ...(nodes.some((node) => node.layer === layer && node.head === undefined)
        ? [{ at: blockHook(layer, 'hook_mlp_out') }]
        : []),
    ];
  });
}
