// Ridge regression on weights beside the adapters: with as many labels as those of the curve, on diffs unlike those it learnt from, and from the changes of one map alone.
import type { LoraWeights } from '@limn/dit';
import { inOrder } from './lessons.mjs';
import type { Laboratory, Packs } from './measure.mjs';
import { decoded } from './probing.mjs';
import { guessScores, type PackFinding, type Scores } from './study.mjs';
import type { KnownDiff } from './truth.mjs';

/** All of it; `others` are packs of topics. */
export async function ridgeFindings(
  { model, packs: { train = [], validation = [], test = [] }, plan, world }: Laboratory,
  others: Packs,
): Promise<PackFinding['ridge']> {
  const scoresOf = async (known: readonly KnownDiff[], asked: readonly KnownDiff[]): Promise<Scores> =>
    guessScores((await decoded(model, known, asked, world)).guesses);
  const sizes: Record<string, Scores> = {};
  const packs: Record<string, Scores> = {};
  const maps: Record<string, Scores> = {};
  for (const size of plan.sizes) sizes[size] = await scoresOf(inOrder(train, 0).slice(0, size), test);
  const known = [...train, ...validation];
  for (const [name, diffs] of Object.entries(others)) if (diffs.length > 0) packs[name] = await scoresOf(known, diffs);
  for (const map of test[0]?.diff.lora.modules.keys() ?? [])
    maps[map] = await scoresOf(onlyMap(known, map), onlyMap(test, map));
  return { sizes, packs, maps };
}

const onlyMap = (of: readonly KnownDiff[], map: string): KnownDiff[] =>
  of.map(({ diff, truth }) => {
    const factors = diff.lora.modules.get(map);
    const lora: LoraWeights = { ...diff.lora, modules: new Map(factors ? [[map, factors]] : []) };
    return { diff: { ...diff, lora }, truth };
  });
