// Why a head looks where it looks, as the record of a graph has it.
import type { FeatureGraphHeadScore } from '@limn/report';
import { attributeScore, scoreTable, type FrozenPrompt, type GraphNode, type ScorePlace } from '@limn/transcoders';
import { nodeFields, nodeIds, type FeatureGraphFindings } from './feature-graph-record.js';
import type { OpenModel } from './model-source.js';
import { scorePlaceOption } from './path-conditions.js';

/** `--qk L.H@POSITION,KEY`, which may be given several times. @throws LimnError `usage/score-place` */
export const scorePlacesOption = (text: string, before: readonly ScorePlace[] = []): ScorePlace[] => [
  ...before,
  scorePlaceOption(text),
];

/** @throws LimnError as `attributeScore`; AbortedError */
export async function headScoreRecord(
  prompt: FrozenPrompt,
  place: ScorePlace,
  found: FeatureGraphFindings,
  model: OpenModel,
  signal: AbortSignal,
): Promise<FeatureGraphHeadScore> {
  const split = await attributeScore(prompt, place, { signal });
  const { queries, keys, values } = scoreTable(split);
  const named = (places: readonly number[]) => {
    const nodes = places.map((i) => split.nodes[i] as GraphNode);
    const ids = nodeIds(nodes, found, model);
    return nodes.map((node, i) => ({ id: ids.get(i) as string, ...nodeFields(node, model, found.label) }));
  };
  return {
    ...place,
    score: split.score,
    queries: named(queries),
    keys: named(keys),
    terms: values,
    attention: softmax(split.scores),
  };
}

function softmax(scores: Float32Array): number[] {
  const most = Math.max(...scores);
  const sizes = Array.from(scores, (score) => Math.exp(score - most));
  const sum = sizes.reduce((total, size) => total + size, 0);
  return sizes.map((size) => size / sum);
}
