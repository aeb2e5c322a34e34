// ActivScalar over heads and MLPs: everywhere, in the nodes of the task's EAP-IG circuit only, and in as many random nodes.
import { eapIgInputs, logitDiff, prune, selectTopN, smallestCircuit, type Circuit } from '@limn/attribution';
import { blockHook, type HookedModel } from '@limn/hooks';
import {
  evaluateSteering,
  positionTable,
  Steering,
  steererOf,
  summarise,
  trainSteering,
  type EntitySplit,
  type SteeredPart,
  type SteeringFigures,
  type SteeringSpec,
} from '@limn/steering';
import { generatePairs } from '@limn/tasks';
import { permutation } from '@limn/tensor';
import { LEARNING } from './learnt.mjs';
import type { RestrictionFinding, StudyTask } from './study.mjs';

/** λ_M and λ_F of all three. */
const WEIGHT = 0.03;
const FAITHFULNESS_WEIGHT = 20;

/** Learns three times with the same seed and measures on the test prompts. */
export async function restriction(
  model: HookedModel,
  task: StudyTask,
  split: EntitySplit,
  { updates, seed }: { readonly updates: number; readonly seed: number },
): Promise<RestrictionFinding> {
  const { layers, heads } = model.info;
  const circuit = await taskCircuit(model, task, seed);
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
    return [...permutation(of.length, { seed, stream })]
      .slice(0, counted[kind])
      .map((i) => of[i] as (typeof of)[number]);
  };
  const spec: SteeringSpec = {
    method: { kind: 'activ-scalar' },
    sites: ['attn.hook_z', 'hook_mlp_out'],
    positions: positionTable(
      [...split.train, ...split.test].map(({ prompt }) => ({ length: prompt.length })),
      'absolute',
      { skip: 1 },
    ),
  };
  const measure = async (only?: readonly SteeredPart[]): Promise<SteeringFigures> => {
    const { values } = await trainSteering(model, split.train, spec, {
      objective: { goal: LEARNING.goal, faithfulnessWeight: FAITHFULNESS_WEIGHT },
      examplesPerUpdate: LEARNING.examplesPerUpdate,
      minimality: { weight: WEIGHT },
      updates,
      seed,
      rate: 0.03,
      only,
    });
    using steering = new Steering(model, spec, { values: [values] });
    return summarise(await evaluateSteering(model, steererOf('restricted', steering, { nonZero: 0 }), split.test));
  };
  return {
    ...counted,
    everywhere: await measure(),
    circuit: await measure(asParts(nodes)),
    random: await measure(asParts([...drawn('heads', 1), ...drawn('mlps', 2)])),
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
