// What heads do for the answer: each set to what it is in the corrupted prompt, where it looks, and how much of what the last features read it can carry.
import { blockHook, tokenBatch, type HookedModel, type HookName } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { generatePairs, type Pair } from '@limn/tasks';
import {
  attributeScore,
  encoderDirection,
  FrozenPrompt,
  headNorms,
  type Dictionary,
  type GraphNode,
  type ScoreAttribution,
} from '@limn/transcoders';
import { positionOf, type Case } from './cases.mjs';
import { featureKey } from './found-effects.mjs';
import { headsSetTo, masksOf, type PairRuns } from './pair-runs.mjs';
import type { RankedUnit } from './rankings.mjs';
import type { HeadFinding, LookingFinding } from './study.mjs';

/** Every head; `features` are those of the circuit. */
export async function headFindings(
  runs: PairRuns,
  { find, source, distractor }: Case,
  features: readonly RankedUnit[],
): Promise<HeadFinding[]> {
  const { model, sides } = runs;
  const { layers, heads: H } = model.info;
  const looks = await attentionTo(model, find, source);
  const others = distractor === undefined ? undefined : await attentionTo(model, find, distractor);
  const norms = await carried(runs, features);
  const found: HeadFinding[] = [];
  for (let layer = 0; layer < layers; layer++)
    for (let head = 0; head < H; head++)
      found.push({
        layer,
        head,
        lost: await runs.lost(headsSetTo(sides.corrupted, masksOf(layers, H, [{ layer, unit: head }]))),
        attention: looks[layer * H + head] as number,
        attentionToDistractor: others?.[layer * H + head] ?? null,
        carries: norms[layer * H + head] ?? null,
      });
  return found;
}

/** Mean attention of every head from the last token to a role, over the pairs whose clean prompt has it, [L·H]. */
export async function attentionTo(model: HookedModel, pairs: readonly Pair[], role: string): Promise<number[]> {
  const { layers, heads: H } = model.info;
  const some = pairs.filter((pair) => positionOf(pair, role) >= 0);
  const sites = Array.from({ length: layers }, (_, layer): HookName => blockHook(layer, 'attn.hook_pattern'));
  using step = model.gpu.step({ label: 'features: where heads look' });
  const tokens = tokenBatch(
    some.map(({ clean }) => clean),
    model.info,
  );
  const run = model.run(step, { tokens }, { capture: sites, logits: 'none' });
  const patterns = await Promise.all(sites.map((site) => readFloats(step, run.at(site))));
  const { T } = tokens;
  return patterns.flatMap((pattern) =>
    Array.from(
      { length: H },
      (_, h) =>
        some.reduce(
          (sum, pair, b) =>
            sum + (pattern[((b * H + h) * T + positionOf(pair, 'last')) * T + positionOf(pair, role)] as number),
          0,
        ) / some.length,
    ),
  );
}

/** Mean ‖C(γ∘W_V·W_O·f)‖ of every head over what the circuit's features of the last layer that has any read, [L·H]; 0 behind them. */
async function carried({ model, dictionaries }: PairRuns, features: readonly RankedUnit[]): Promise<number[]> {
  const { layers, heads: H } = model.info;
  const top = Math.max(...features.map(({ layer }) => layer));
  const readers = features.filter(({ layer }) => layer === top);
  using step = model.gpu.step({ label: 'features: what heads carry' });
  const read = await Promise.all(
    readers.map(({ unit }) => {
      const f = encoderDirection(step, model, dictionaries[top] as Dictionary, unit);
      return Promise.all(
        Array.from({ length: top + 1 }, (_, layer) => readFloats(step, headNorms(step, model, layer, f))),
      );
    }),
  );
  return Array.from({ length: layers * H }, (_, i) => {
    const layer = Math.floor(i / H);
    return layer > top ? 0 : read.reduce((sum, each) => sum + (each[layer]?.[i % H] as number), 0) / readers.length;
  });
}

/** Prompts whose scores are split. */
const LOOKED_AT = 8;
/** Features named of what decides. */
const NAMED = 6;

/** Why a head looks at the source rather than at what is like it. */
export async function lookingFinding(
  model: HookedModel,
  dictionaries: readonly Dictionary[],
  { id, find, source, distractor = '' }: Case,
  { layer, head }: { readonly layer: number; readonly head: number },
): Promise<LookingFinding> {
  const some = find.filter((pair) => positionOf(pair, distractor) >= 0).slice(0, LOOKED_AT);
  const sums = new Map<string, number>();
  const byFeature = new Map<string, number>();
  let [own, other] = [0, 0];
  for (const pair of some) {
    using prompt = await FrozenPrompt.of(model, dictionaries, pair.clean);
    const query = positionOf(pair, 'last');
    const looked = await attributeScore(prompt, { layer, head, query, key: positionOf(pair, source) });
    const passed = await attributeScore(prompt, { layer, head, query, key: positionOf(pair, distractor) });
    own += looked.score / some.length;
    other += passed.score / some.length;
    for (const [found, sign] of [
      [looked, 1],
      [passed, -1],
    ] as const)
      for (const [node, value] of keyTerms(found)) {
        const share = (sign * value) / some.length;
        sums.set(kindOf(node), (sums.get(kindOf(node)) ?? 0) + share);
        if (node.kind !== 'feature') continue;
        const key = featureKey(node.layer, node.feature);
        byFeature.set(key, (byFeature.get(key) ?? 0) + share);
      }
  }
  const behind = generatePairs(id, { seed: 0, n: find.length, split: 'train', prefixDocuments: 1 });
  const H = model.info.heads;
  const at = layer * H + head;
  return {
    layer,
    head,
    prompts: some.length,
    score: { source: own, distractor: other },
    terms: [...sums].map(([kind, value]) => ({ kind, value })).sort((a, b) => Math.abs(b.value) - Math.abs(a.value)),
    features: [...byFeature]
      .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))
      .slice(0, NAMED)
      .map(([key, value]) => {
        const [of, feature] = key.split('/').map(Number) as [number, number];
        return { layer: of, feature, value };
      }),
    attention: {
      alone: (await attentionTo(model, find, source))[at] as number,
      behindAnother: (await attentionTo(model, behind, source))[at] as number,
    },
  };
}

/** Every source of the key with its terms, summed over the whole query. */
function keyTerms({ nodes, query, key, headWidth: K }: ScoreAttribution): [GraphNode, number][] {
  const whole = new Float64Array(K);
  for (const [i, value] of query.entries()) whole[i % K] = (whole[i % K] as number) + value;
  return nodes.map((node, s) => {
    let term = 0;
    for (let a = 0; a < K; a++) term += (whole[a] as number) * (key[s * K + a] as number);
    return [node, term];
  });
}

function kindOf(node: GraphNode): string {
  if (node.kind === 'feature') return `features of layer ${node.layer}`;
  if (node.kind === 'error') return 'errors';
  return { token: 'tokens', position: 'positions', bias: 'constants', skip: 'skip connections', output: 'outputs' }[
    node.kind
  ];
}
