// Where an adapter reads a diff: the right answer's log-probability without each layer of the diff and with it alone, and what every map adds along the diff's strength.
import { layerReading, mapAttribution, type LayerReading, type LoraWeights, type MapAttribution } from '@limn/dit';
import type { HookedModel } from '@limn/hooks';
import type { ChatWorld } from '@limn/tasks/chat';
import { mean } from '../markdown-table.mjs';
import type { MechanismFinding } from './study.mjs';
import { answerTokens, asked, rightAnswer, type KnownDiff } from './truth.mjs';

/** Means over diffs of what the answer to the question for the topic rests on; nats. */
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
  const over = (of: (each: (typeof found)[number]) => number): number => Math.round(mean(found.map(of)) * 1e4) / 1e4;
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
  };
}
