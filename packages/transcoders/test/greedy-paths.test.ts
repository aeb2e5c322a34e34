// The greedy search is algorithm 1 of arXiv 2406.11944: of the list of all paths it keeps what the algorithm, written out over that list, keeps.
import { expect, test } from 'vitest';
import {
  FrozenPrompt,
  pathNodeName,
  searchPaths,
  type ComputationalPath,
  type GraphTarget,
  type PathOrder,
  type PathSearchOptions,
} from '../src/index.js';
import { randomDictionary, tinyGpt2, toy } from './graph-models.js';

const TOKENS = [3, 1, 4, 1];
const STEPS = 2;

const nameOf = ({ steps }: ComputationalPath): string => steps.map(({ node }) => pathNodeName(node)).join(' ');
const last = ({ steps }: ComputationalPath): number => steps.at(-1)?.attribution ?? 0;

/** Largest first, or by size, or as many of the worst as of the best; the paper follows nothing that counts against the root. */
function best(list: readonly ComputationalPath[], count: number, order: PathOrder): ComputationalPath[] {
  const key = (path: ComputationalPath): number => (order === 'size' ? Math.abs(last(path)) : last(path));
  const falling = list.filter((path) => order !== 'largest' || last(path) > 0).sort((a, b) => key(b) - key(a));
  if (order !== 'signed') return falling.slice(0, count);
  const lowest = Math.floor(count / 2);
  return falling.filter((_, i) => i < count - lowest || i >= falling.length - lowest);
}

/** Algorithm 1 over all paths of each length: K terms of each MLP layer, min(K, heads) of each attention layer, the embedding; K of a path; K of all. */
function greedy(
  all: readonly (readonly ComputationalPath[])[],
  { branches, headBranches, order }: Required<Pick<PathSearchOptions, 'branches' | 'headBranches' | 'order'>>,
): string[][] {
  let current = all[0] as readonly ComputationalPath[];
  const kept = [current.map(nameOf)];
  for (const longer of all.slice(1)) {
    const found = current.flatMap((path) => {
      const own = longer.filter((each) => nameOf(each).startsWith(`${nameOf(path)} `));
      const groups = new Map<string, ComputationalPath[]>();
      for (const each of own) {
        const { node } = each.steps.at(-1) as (typeof each.steps)[number];
        const group = `${node.kind} ${'layer' in node ? node.layer : ''}`;
        groups.set(group, [...(groups.get(group) ?? []), each]);
      }
      const listed = [...groups].flatMap(([group, list]) =>
        best(list, group.startsWith('head') ? headBranches : branches, order),
      );
      return best(listed, branches, order);
    });
    current = best(found, branches, order);
    kept.push(current.map(nameOf));
  }
  return kept;
}

test.each([
  ['gpt2', tinyGpt2],
  ['toy', toy],
] as const)('what the search keeps is what algorithm 1 keeps of all paths: %s', async (_, open) => {
  const model = await open();
  const dictionaries = [0, 1, 2].map((layer) => randomDictionary(model, layer));
  using prompt = await FrozenPrompt.of(model, dictionaries, TOKENS);
  const target: GraphTarget = { kind: 'logits', up: [2], down: [5], position: 3, demeaned: false };
  const search = (options: PathSearchOptions) =>
    searchPaths(prompt, target, '2-5', { iterations: STEPS, withoutPositions: [], ...options });
  const everything = await search({ branches: 1e6, headBranches: 1e6, order: 'size' });
  const sizes = everything.byLength.map((paths) => paths.length);
  expect(sizes[2]).toBeGreaterThan(200);
  for (const order of ['largest', 'size', 'signed'] as const)
    for (const [branches, headBranches] of [
      [5, 2],
      [12, 3],
      [1, 1],
    ] as const) {
      const { byLength } = await search({ branches, headBranches, order });
      expect(byLength.map((paths) => paths.map(nameOf))).toEqual(
        greedy(everything.byLength, { branches, headBranches, order }),
      );
      // Along each of them nodes bring what they bring in the whole list.
      const known = new Map(everything.byLength.flat().map((path) => [nameOf(path), last(path)]));
      for (const path of byLength.flat()) expect(last(path)).toBeCloseTo(known.get(nameOf(path)) as number, 6);
    }
  // The first position, as a BOS is, is not where heads are followed to.
  const { byLength } = await search({ branches: 12, withoutPositions: [0] });
  const without = everything.byLength.map((paths) =>
    paths.filter(({ steps }) => steps.every(({ node }) => node.kind !== 'head' || node.position > 0)),
  );
  expect(byLength.map((paths) => paths.map(nameOf))).toEqual(
    greedy(without, { branches: 12, headBranches: 12, order: 'largest' }),
  );
});
