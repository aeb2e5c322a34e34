// Figures of a gap between two answers, before and after an edit: of items, of retained prompts, of prompts that were not meant. Host arithmetic in float64.
import { bootstrapMean, type Interval } from '@limn/hooks';

/** One prompt: Δ = z_a − z_b of the untouched and of the edited model, in logits. */
export interface DeltaChange {
  readonly before: number;
  readonly after: number;
  /** KL in nats with the answers as one outcome. */
  readonly drift: number;
}

/** All prompts about one thing. */
export interface ParityItem {
  /** What its prompts are about: their entities, or 'example 3' where they name none. */
  readonly item: string;
  readonly part: 'train' | 'validation' | 'test';
  readonly prompts: number;
  /** Mean Δ, favouring `pair[0]` above 0. */
  readonly before: number;
  readonly after: number;
  /** Mean |Δ|: prompts that lean opposite ways do not cancel. */
  readonly gapBefore: number;
  readonly gapAfter: number;
  /** Mean KL of the rest. */
  readonly drift: number;
}

/** A figure before and after, with what 95 % of means over items drawn again lie between; null for a single item. */
export interface BeforeAfter {
  readonly before: number;
  readonly after: number;
  readonly beforeInterval: Interval | null;
  readonly afterInterval: Interval | null;
}

/** One part; every item weighs the same, however many prompts it has. */
export interface ParityPartFigures {
  readonly items: number;
  readonly prompts: number;
  /** Mean |Δ|. */
  readonly gap: BeforeAfter;
  /** Mean Δ, the lean of all items together. */
  readonly lean: BeforeAfter;
  /** Variance of the items' mean Δ, divided by items − 1; null for a single item. */
  readonly variance: { readonly before: number | null; readonly after: number | null };
  readonly drift: number;
}

/** Prompts whose answers are to stay, Δ = z_c − z_w. */
export interface RetentionFigures {
  readonly prompts: number;
  /** Shares of prompts with Δ > 0. */
  readonly rightBefore: number;
  readonly rightAfter: number;
  /** Share whose Δ stays within `share` of its size. */
  readonly within: number;
  /** Share that is right before and after, and within. */
  readonly kept: number;
  readonly keptInterval: Interval | null;
  /** Mean Δ. */
  readonly before: number;
  readonly after: number;
  readonly drift: number;
}

/** Prompts with another pair of answers, which the edit was not meant for. */
export interface SpilloverFigures {
  readonly name: string;
  readonly prompts: number;
  /** Mean |Δ|. */
  readonly gapBefore: number;
  readonly gapAfter: number;
  /** Mean |Δ̃ − Δ|, with its interval. */
  readonly moved: number;
  readonly movedInterval: Interval | null;
  readonly drift: number;
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const share = (values: readonly boolean[]): number => mean(values.map(Number));

/** The item that prompts are about. */
export function parityItem(item: string, part: ParityItem['part'], prompts: readonly DeltaChange[]): ParityItem {
  const over = (value: (prompt: DeltaChange) => number): number => mean(prompts.map(value));
  return {
    item,
    part,
    prompts: prompts.length,
    before: over(({ before }) => before),
    after: over(({ after }) => after),
    gapBefore: over(({ before }) => Math.abs(before)),
    gapAfter: over(({ after }) => Math.abs(after)),
    drift: over(({ drift }) => drift),
  };
}

/** Figures over the items of a part. */
export function partFigures(items: readonly ParityItem[], seed: number): ParityPartFigures {
  const over = (before: (item: ParityItem) => number, after: (item: ParityItem) => number): BeforeAfter => {
    const [first, then] = [items.map(before), items.map(after)];
    return {
      before: mean(first),
      after: mean(then),
      beforeInterval: bootstrapMean(first, seed),
      afterInterval: bootstrapMean(then, seed),
    };
  };
  return {
    items: items.length,
    prompts: items.reduce((sum, { prompts }) => sum + prompts, 0),
    gap: over(
      ({ gapBefore }) => gapBefore,
      ({ gapAfter }) => gapAfter,
    ),
    lean: over(
      ({ before }) => before,
      ({ after }) => after,
    ),
    variance: { before: variance(items.map(({ before }) => before)), after: variance(items.map(({ after }) => after)) },
    drift: mean(items.map(({ drift }) => drift)),
  };
}

/** Whether the answer of a retained prompt is right before and after, and its Δ within `share` of what it was. */
export function isKept({ before, after }: DeltaChange, share: number): boolean {
  return before > 0 && after > 0 && isWithin({ before, after }, share);
}

const isWithin = ({ before, after }: Pick<DeltaChange, 'before' | 'after'>, share: number): boolean =>
  Math.abs(after - before) <= share * Math.abs(before);

/** Figures of retained prompts. */
export function retentionFigures(
  prompts: readonly DeltaChange[],
  { retentionShare, seed }: { readonly retentionShare: number; readonly seed: number },
): RetentionFigures {
  const kept = prompts.map((prompt) => isKept(prompt, retentionShare));
  return {
    prompts: prompts.length,
    rightBefore: share(prompts.map(({ before }) => before > 0)),
    rightAfter: share(prompts.map(({ after }) => after > 0)),
    within: share(prompts.map((prompt) => isWithin(prompt, retentionShare))),
    kept: share(kept),
    keptInterval: bootstrapMean(kept.map(Number), seed),
    before: mean(prompts.map(({ before }) => before)),
    after: mean(prompts.map(({ after }) => after)),
    drift: mean(prompts.map(({ drift }) => drift)),
  };
}

/** Figures of another pair of answers. */
export function spilloverFigures(name: string, prompts: readonly DeltaChange[], seed: number): SpilloverFigures {
  const moved = prompts.map(({ before, after }) => Math.abs(after - before));
  return {
    name,
    prompts: prompts.length,
    gapBefore: mean(prompts.map(({ before }) => Math.abs(before))),
    gapAfter: mean(prompts.map(({ after }) => Math.abs(after))),
    moved: mean(moved),
    movedInterval: bootstrapMean(moved, seed),
    drift: mean(prompts.map(({ drift }) => drift)),
  };
}

function variance(values: readonly number[]): number | null {
  if (values.length < 2) return null;
  const middle = mean(values);
  return values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1);
}
