// EAP-IG scores of heads and MLPs on the cells of a steering: an edge's score is a sum over positions, and so is the sum over the edges out of a node.
import { buildGraph, eapIgInputs, logitDiff, type Pair } from '@limn/attribution';
import type { HookedModel, RunControls } from '@limn/hooks';
import { givenGrid, slotsOf, type CellGrid, type PositionTable, type SteerableSite } from '@limn/steering';
import type { SourceExample } from './steering-source.js';

/** Sites that a head, and that an MLP, writes at. */
const SITES = {
  head: ['hook_attn_out', 'attn.hook_z'],
  mlp: ['hook_mlp_out', 'mlp.hook_post'],
} as const satisfies Readonly<Record<string, readonly SteerableSite[]>>;

/** Examples whose tokens stand in the same rows of the table, so that their scores by position may be added. */
interface Alike {
  readonly slots: Int32Array;
  readonly pairs: Pair[];
}

/** Examples as clean/corrupted pairs; those that have a corrupted prompt. */
export function pairsOf(
  examples: readonly SourceExample[],
): { readonly example: SourceExample; readonly pair: Pair }[] {
  return examples.flatMap((example) =>
    example.corrupted === undefined
      ? []
      : [
          {
            example,
            pair: {
              clean: example.prompt,
              corrupted: example.corrupted,
              correct: [example.correct],
              incorrect: [example.wrong],
            },
          },
        ],
  );
}

/** Most numbers of scores by edge and position, 8 bytes each: GPT-2 small has 1.3 million for a prompt of 18 tokens. */
const MOST_NUMBERS = 2 ** 25;

/** Whether scores of every edge at every position are few enough to be held. */
export function fitsEdges({ info }: Pick<HookedModel, 'info'>, examples: readonly SourceExample[]): boolean {
  const { nForward, nBackward } = buildGraph(info);
  const longest = examples.reduce((most, { prompt }) => Math.max(most, prompt.length), 0);
  return nForward * nBackward * longest <= MOST_NUMBERS;
}

/** Whether a grid has a site that nodes write at. */
export function hasNodes({ sites }: Pick<CellGrid, 'sites'>): boolean {
  return sites.some((site) => [...SITES.head, ...SITES.mlp].some((each) => each === site));
}

/**
 * Σ_v score(u → v) of Δ by EAP-IG over the inputs (arXiv 2403.17806), at the position where u writes; of all heads of a layer together.
 * Positive where the cell helps the correct answer. A biased output is as its unbiased one: only differences between two runs are scored.
 * Mean over the examples that have a corrupted prompt, in logits. null at sites that no node writes at.
 * @throws LimnError as `eapIgInputs`; AbortedError
 */
export async function eapGrid(
  model: HookedModel,
  examples: readonly SourceExample[],
  like: CellGrid,
  positions: PositionTable,
  controls: RunControls,
): Promise<CellGrid> {
  const groups = new Map<string, Alike>();
  const found = pairsOf(examples);
  for (const { example, pair } of found) {
    const slots = slotsOf(positions, { length: example.prompt.length, roles: example.roles });
    const key = slots.join();
    const group = groups.get(key) ?? { slots, pairs: [] };
    groups.set(key, group);
    group.pairs.push(pair);
  }
  const sums = new Map<string, number>();
  let done = 0;
  for (const { slots, pairs } of groups.values()) {
    const before = done;
    const { graph, perPosition = [] } = await eapIgInputs(model, pairs, {
      metric: logitDiff,
      perPosition: true,
      ...controls,
      onProgress: (progress) =>
        controls.onProgress?.({ ...progress, done: before + progress.done, total: found.length }),
    });
    done += pairs.length;
    for (const { u, v } of graph.edges()) {
      const node = graph.nodes[u];
      if (node === undefined || node.kind === 'input') continue;
      slots.forEach((slot, t) => {
        const score = perPosition[t]?.[graph.dense(u, v)] ?? 0;
        for (const site of SITES[node.kind]) {
          const key = `${site} ${node.layer} ${positions.names[slot]}`;
          sums.set(key, (sums.get(key) ?? 0) + (score * pairs.length) / found.length);
        }
      });
    }
  }
  return givenGrid(like, 'EAP-IG of nodes, by position', ({ site, layer, position }) =>
    hasNodes({ sites: [site] }) ? (sums.get(`${site} ${layer} ${position}`) ?? 0) : null,
  );
}
