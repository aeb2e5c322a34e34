// What an edit for parity does: the gap between two answers before and after, item by item, what is kept of what is to stay, and what else moves.
import { LimnError } from '@limn/gpu';
import type { HookedModel, RunControls } from '@limn/hooks';
import { evaluateSteering } from '../evaluate.js';
import type { SteeringExample } from '../examples.js';
import type { EntitySplit } from '../split.js';
import type { Steerer } from '../steerer.js';
import {
  isKept,
  parityItem,
  partFigures,
  retentionFigures,
  spilloverFigures,
  type DeltaChange,
  type ParityItem,
  type ParityPartFigures,
  type RetentionFigures,
  type SpilloverFigures,
} from './parity-figures.js';

/** Prompts whose answers are to be alike, and those that show what the edit costs. */
export interface ParityExamples {
  /** By what they are about; a part may be empty. */
  readonly split: Pick<EntitySplit, 'train' | 'validation' | 'test'>;
  /** Prompts whose Δ is to stay. Those that were learnt from say less than others. */
  readonly retained?: readonly SteeringExample[] | undefined;
  /** Other pairs of answers. */
  readonly spillover?: readonly { readonly name: string; readonly examples: readonly SteeringExample[] }[] | undefined;
}

/** How to measure. */
export interface EvaluateParityOptions extends RunControls {
  /** A retained Δ may move by this share of its size. Default .1. */
  readonly retentionShare?: number | undefined;
  /** Of the items that are drawn again for intervals. Default 0. */
  readonly seed?: number | undefined;
}

/** A retained prompt, Δ = z_c − z_w in logits. */
export interface RetainedPrompt extends DeltaChange {
  /** Its place in `retained`. */
  readonly example: number;
  readonly kept: boolean;
}

/** Everything that `evaluateParity` measures, as plain data. */
export interface ParityEvaluation {
  /**
   * The answers of Δ = z_a − z_b: of the first example, correct before wrong, and for every other example that competes between the same two.
   * Null where examples have several pairs: Δ then favours each example's own correct answer.
   */
  readonly pair: readonly [a: number, b: number] | null;
  /** Of parts that have examples. */
  readonly parts: Readonly<Partial<Record<ParityItem['part'], ParityPartFigures>>>;
  /** Part by part, in the order of the examples. */
  readonly items: readonly ParityItem[];
  /** Null where nothing is retained. */
  readonly retention: RetentionFigures | null;
  readonly retained: readonly RetainedPrompt[];
  readonly spillover: readonly SpilloverFigures[];
}

const PARTS = ['train', 'validation', 'test'] as const;

/**
 * Runs every example untouched and at strength 1. Per part: mean |Δ|, mean Δ and the variance of Δ between items, with bootstrap intervals
 * over items, whose prompts resemble each other; of retained prompts the share whose answer stays right and whose Δ stays within 10 %; of other pairs
 * of answers how far they move; everywhere the KL of what is neither answer.
 * @throws LimnError `data/steering-empty`, `data/steering-prompt`, `data/steering-answer`, `data/steering-roles`, `data/steering-length`,
 * `usage/steering-option`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function evaluateParity(
  model: HookedModel,
  steerer: Steerer,
  { split, retained = [], spillover = [] }: ParityExamples,
  { retentionShare = 0.1, seed = 0, ...controls }: EvaluateParityOptions = {},
): Promise<ParityEvaluation> {
  if (!(Number.isFinite(retentionShare) && retentionShare >= 0 && Number.isSafeInteger(seed) && seed >= 0))
    throw new LimnError(
      'usage/steering-option',
      `Parity cannot be measured with a retention share of ${retentionShare} and seed ${seed}.`,
      {
        details: { retentionShare, seed },
        hint: 'Give a share that is not negative and a whole seed from 0.',
      },
    );
  const parts = PARTS.map((part) => split[part]);
  const sets = [...parts, retained, ...spillover.map(({ examples }) => examples)];
  // One run over everything, so that progress counts to one end.
  const measured = await evaluateSteering(model, steerer, sets.flat(), { ...controls, strengths: [1] });
  let from = 0;
  const changes = sets.map((set) =>
    measured.slice(from, (from += set.length)).map(({ untouchedDelta, outcomes }): DeltaChange => ({
      before: untouchedDelta,
      after: outcomes[0]?.delta as number,
      drift: outcomes[0]?.bucket as number,
    })),
  );
  const pair = commonPair(parts.flat());
  const items = PARTS.flatMap((part, p) => itemsOf(part, parts[p] ?? [], changes[p] ?? [], pair));
  const kept = changes[PARTS.length] ?? [];
  return {
    pair,
    parts: Object.fromEntries(
      PARTS.flatMap((part) => {
        const own = items.filter((item) => item.part === part);
        return own.length === 0 ? [] : [[part, partFigures(own, seed)] as const];
      }),
    ),
    items,
    retention: kept.length === 0 ? null : retentionFigures(kept, { retentionShare, seed }),
    retained: kept.map((change, example) => ({ example, ...change, kept: isKept(change, retentionShare) })),
    spillover: spillover.flatMap(({ name }, i) => {
      const own = changes[PARTS.length + 1 + i] ?? [];
      return own.length === 0 ? [] : [spilloverFigures(name, own, seed)];
    }),
  };
}

/** The two answers that all examples compete between. */
function commonPair(examples: readonly SteeringExample[]): readonly [number, number] | null {
  const [first] = examples;
  if (!first) return null;
  const { correct: a, wrong: b } = first;
  return examples.every(({ correct, wrong }) => (correct === a && wrong === b) || (correct === b && wrong === a))
    ? [a, b]
    : null;
}

/** The examples of a part by what they are about, Δ towards the pair's first answer. */
function itemsOf(
  part: ParityItem['part'],
  examples: readonly SteeringExample[],
  changes: readonly DeltaChange[],
  pair: readonly [number, number] | null,
): ParityItem[] {
  const groups = new Map<string, DeltaChange[]>();
  examples.forEach(({ entities, correct }, i) => {
    const { before, after, drift } = changes[i] as DeltaChange;
    const sign = pair === null || correct === pair[0] ? 1 : -1;
    const name = entities?.length ? entities.join(', ') : `example ${i}`;
    const group = groups.get(name) ?? [];
    group.push({ before: sign * before, after: sign * after, drift });
    groups.set(name, group);
  });
  return [...groups].map(([item, prompts]) => parityItem(item, part, prompts));
}
