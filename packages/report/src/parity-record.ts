// What an edit for parity did, as a record holds it: the gap between two answers by item, what was to stay, other pairs of answers. `evaluateParity` of @limn/steering.
import { finite, list, object, oneOf, orNull, text, whole, yesNo } from './schema.js';
import type { Infer, Issue } from './schema.js';

const name = text({ longest: 1000 });
/** What 95 % of means over redrawn items lie between. */
const interval = orNull(object({ low: finite, high: finite }));
/** Means over items before and after. */
const change = object({ before: finite, after: finite, beforeInterval: interval, afterInterval: interval });

/** 'test': neither learnt from nor chosen by. */
const part = oneOf('train', 'validation', 'test');

const item = object({
  item: name,
  part,
  prompts: whole(1),
  /** Mean Δ in logits, above 0 for the first answer, and mean |Δ|. */
  before: finite,
  after: finite,
  gapBefore: finite,
  gapAfter: finite,
  /** Mean KL in nats with both answers as one outcome. */
  drift: finite,
});

const figures = object({
  part,
  items: whole(1),
  prompts: whole(1),
  /** Mean |Δ|, and mean Δ. */
  gap: change,
  lean: change,
  /** Of the items' mean Δ; null of a single item. */
  variance: object({ before: orNull(finite), after: orNull(finite) }),
  drift: finite,
});

const retention = object({
  /** Whether these prompts were learnt from. */
  learnt: yesNo,
  /** |Δ̃ − Δ| ≤ share · |Δ| counts as kept. */
  share: finite,
  /** Shares of prompts with Δ > 0; whose Δ stays within the share; that are right before and after, and within. */
  rightBefore: finite,
  rightAfter: finite,
  within: finite,
  kept: finite,
  keptInterval: interval,
  drift: finite,
  /** Δ = z_c − z_w in logits, c being `answer`. */
  prompts: list(object({ text: text(), answer: name, before: finite, after: finite, kept: yesNo, drift: finite }), {
    most: 10_000,
  }),
});

const spillover = object({
  name,
  prompts: whole(1),
  /** Mean |Δ|, and mean |Δ̃ − Δ|, in logits. */
  gapBefore: finite,
  gapAfter: finite,
  moved: finite,
  movedInterval: interval,
  drift: finite,
});

/** The field `parity` of a steering. */
export const paritySchema = object({
  /** Δ = z(first) − z(second); null where examples compete between several pairs, and Δ favours each one's right answer. */
  answers: orNull(object({ first: name, second: name })),
  items: list(item, { most: 10_000 }),
  parts: list(figures, { most: 3 }),
  retention: orNull(retention),
  spillover: list(spillover, { most: 50 }),
});

/**
 * What an edit for parity did.
 * @useDeclaredType
 */
export type ParityRecord = Infer<typeof paritySchema>;

/** Parts that are no sum of their items, intervals upside down. */
export function parityFaults(parity: ParityRecord | undefined): Issue[] {
  if (!parity) return [];
  const { items, parts, retention: kept, spillover: others } = parity;
  const issues: Issue[] = [];
  if (items.length === 0) issues.push({ path: '/parity/items', given: 'a list of 0', allowed: 'at least one item' });
  parts.forEach(({ part: own, items: count, gap, lean }, p) => {
    const found = items.filter((each) => each.part === own).length;
    if (found !== count)
      issues.push({
        path: `/parity/parts/${p}/items`,
        given: String(count),
        allowed: `the items of '${own}', ${found}`,
      });
    for (const [field, { beforeInterval, afterInterval }] of Object.entries({ gap, lean }))
      for (const [when, given] of Object.entries({ beforeInterval, afterInterval }))
        ordered(`/parity/parts/${p}/${field}/${when}`, given);
  });
  ordered('/parity/retention/keptInterval', kept?.keptInterval ?? null);
  others.forEach(({ movedInterval }, i) => ordered(`/parity/spillover/${i}/movedInterval`, movedInterval));
  return issues;

  function ordered(path: string, given: Infer<typeof interval>): void {
    if (given && given.low > given.high)
      issues.push({ path, given: `${given.low} to ${given.high}`, allowed: 'low up to high' });
  }
}
