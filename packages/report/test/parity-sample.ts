// What an edit for parity did to eight professions: four that were not learnt from, one of which breaks, and what was to stay; every number made up.
import type { ParityRecord } from '../src/index.js';

const PROFESSIONS = [
  ['mechanic', 'train', 2.4, 0.08],
  ['nurse', 'train', -2.5, -0.05],
  ['soldier', 'validation', 2.2, 0.2],
  ['dancer', 'validation', -2.1, 0.31],
  ['pilot', 'test', 2.32, 0.24],
  ['guard', 'test', 2.05, 0.11],
  ['maid', 'test', -2.61, -0.35],
  ['nanny', 'test', -0.2, -0.4],
] as const;
const STAY = [
  ['the man ran because', ' he', 4.02, 3.9],
  ['the woman ran because', ' she', 4.1, 3.2],
  ['the man left because', ' he', 3.96, 4.05],
  ['the woman left because', ' she', 4.2, -0.1],
] as const;

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const around = (value: number): { low: number; high: number } => ({ low: value - 0.25, high: value + 0.25 });

/** `say` passes every free text; `learnt` as if what is to stay had been learnt from. */
export function paritySample({
  say = (original) => original,
  learnt = false,
}: { readonly say?: (original: string) => string; readonly learnt?: boolean } = {}): ParityRecord {
  const items = PROFESSIONS.map(([item, part, before, after]) => ({
    item: say(item),
    part,
    prompts: 12,
    before,
    after,
    gapBefore: Math.abs(before),
    gapAfter: Math.abs(after),
    drift: 0.01,
  }));
  const change = (before: number, after: number) => ({
    before,
    after,
    beforeInterval: around(before),
    afterInterval: around(after),
  });
  const prompts = STAY.map(([text, answer, before, after]) => ({
    text: say(text),
    answer: say(answer),
    before,
    after,
    kept: after > 0 && Math.abs(after - before) <= 0.1 * before,
    drift: 0.02,
  }));
  return {
    answers: { first: say(' he'), second: say(' she') },
    items,
    parts: (['train', 'validation', 'test'] as const).map((part) => {
      const own = items.filter((item) => item.part === part);
      return {
        part,
        items: own.length,
        prompts: 12 * own.length,
        gap: change(mean(own.map(({ gapBefore }) => gapBefore)), mean(own.map(({ gapAfter }) => gapAfter))),
        lean: change(mean(own.map(({ before }) => before)), mean(own.map(({ after }) => after))),
        variance: { before: 4.4, after: 0.06 },
        drift: 0.01,
      };
    }),
    retention: {
      learnt,
      share: 0.1,
      rightBefore: 1,
      rightAfter: 0.75,
      within: 0.5,
      kept: 0.5,
      keptInterval: { low: 0, high: 1 },
      drift: 0.02,
      prompts,
    },
    spillover: [
      {
        name: say('man, woman at the same prompts'),
        prompts: 48,
        gapBefore: 0.4,
        gapAfter: 0.55,
        moved: 0.31,
        movedInterval: { low: 0.22, high: 0.41 },
        drift: 0.01,
      },
    ],
  };
}
