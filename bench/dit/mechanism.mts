// Where an adapter reads a diff: the right answer's log-probability without each layer of the diff and with it alone, what every map adds along the diff's strength, and which edges carry it.
import { buildGraph, eapIgChange, logitDiff, scoreAt } from '@limn/attribution';
import {
  layerReading,
  LoraAdapter,
  mapAttribution,
  type LayerReading,
  type LoraWeights,
  type MapAttribution,
} from '@limn/dit';
import type { HookedModel } from '@limn/hooks';
import { chatIdOf, type ChatWorld } from '@limn/tasks/chat';
import { mean } from '../markdown-table.mjs';
import { rounded, type MechanismFinding } from './study.mjs';
import { answerTokens, asked, rightAnswer, topicOf, type KnownDiff } from './truth.mjs';

/** Edges that are told. */
const TOLD = 10;

/** Means over diffs of what the answer to the question for the topic rests on. */
export async function readPlaces(
  model: HookedModel,
  adapter: LoraWeights,
  diffs: readonly KnownDiff[],
  world: ChatWorld,
): Promise<MechanismFinding> {
  const question = asked('topic');
  const found: { readonly reading: LayerReading; readonly path: MapAttribution }[] = [];
  for (const known of diffs) {
    const answer = answerTokens(rightAnswer('topic', known, world));
    const reading = await layerReading(model, known.diff.lora, adapter, question, answer);
    found.push({ reading, path: await mapAttribution(model, known.diff.lora, adapter, question, answer) });
  }
  const over = (of: (each: (typeof found)[number]) => number): number => rounded(mean(found.map(of)));
  const [first] = found;
  return {
    diffs: diffs.length,
    whole: over(({ reading }) => reading.whole),
    none: over(({ reading }) => reading.none),
    layers: (first?.reading.layers ?? []).map(({ layer }, i) => ({
      layer,
      without: over(({ reading }) => reading.layers[i]?.without ?? 0),
      only: over(({ reading }) => reading.layers[i]?.only ?? 0),
    })),
    maps: (first?.path.maps ?? []).map(({ map, layer }, i) => ({
      map,
      layer,
      nats: over(({ path }) => path.maps[i]?.nats ?? 0),
    })),
    left: over(({ path }) => path.left),
    edges: await strongestEdges(model, adapter, diffs, world),
  };
}

async function strongestEdges(
  model: HookedModel,
  lora: LoraWeights,
  diffs: readonly KnownDiff[],
  world: ChatWorld,
): Promise<MechanismFinding['edges']> {
  const graph = buildGraph(model.info);
  const sums = new Map([...graph.edges()].map((edge) => [edge, 0]));
  using adapter = new LoraAdapter(model, lora, { name: 'adapter' });
  for (const known of diffs) {
    using diff = new LoraAdapter(model, known.diff.lora, { name: 'diff' });
    const names = { correct: [chatIdOf(topicOf(known, world).name)], incorrect: [chatIdOf('none')] };
    const scores = await eapIgChange(model, [{ prompt: asked('topic'), ...names }], {
      metric: logitDiff,
      change: (strength) => [...diff.interventions({ strength }), ...adapter.interventions()],
    });
    for (const [edge, sum] of sums) sums.set(edge, sum + scoreAt(scores, edge.u, edge.v) / diffs.length);
  }
  return [...sums]
    .sort(([, a], [, b]) => Math.abs(b) - Math.abs(a))
    .slice(0, TOLD)
    .map(([{ u, v }, score]) => ({ edge: graph.edgeName(u, v), score: rounded(score) }));
}
