// Entities that may stand in each other's place: of one split, of equally many tokens, and with another answer.
import { drawUntil } from '../family.js';
import type { Random } from '../random.js';
import { belongs, type TextSplit } from './source.js';
import { needs } from './tokens.js';

/** One entity of a task. */
export interface Swappable {
  readonly heldOut: boolean;
  /** Entities swap only where this is equal: the number of tokens, and what else must be kept. */
  readonly likeness: string;
  /** Entities swap only where this differs. */
  readonly answer: number;
}

const SPLITS: readonly TextSplit[] = ['train', 'held-out', 'all'];

/** The entities of each split that have at least one other to swap with. */
export class Swaps<T extends Swappable> {
  readonly #items: Readonly<Record<TextSplit, readonly T[]>>;
  readonly #alike: Readonly<Record<TextSplit, ReadonlyMap<string, readonly T[]>>>;

  /** `tasks/tokenizer` where a split has no two to swap; `what` and `of` are for its message. */
  constructor(task: string, entities: readonly T[], what: string, of: number) {
    const bySplit = SPLITS.map((split) => {
      const alike = new Map<string, T[]>();
      for (const entity of entities)
        if (belongs(entity.heldOut, split)) alike.set(entity.likeness, [...(alike.get(entity.likeness) ?? []), entity]);
      for (const [likeness, group] of alike)
        if (group.every(({ answer }) => answer === group[0]?.answer)) alike.delete(likeness);
      needs(task, [...alike.values()].flat(), 2, what, of);
      return alike;
    }) as [Map<string, T[]>, Map<string, T[]>, Map<string, T[]>];
    this.#alike = { train: bySplit[0], 'held-out': bySplit[1], all: bySplit[2] };
    const items = (split: TextSplit): readonly T[] => [...this.#alike[split].values()].flat();
    this.#items = { train: items('train'), 'held-out': items('held-out'), all: items('all') };
  }

  /** How many entities of the split can be swapped. */
  size(split: TextSplit): number {
    return this.#items[split].length;
  }

  /** One of them, and one to put in its place. */
  pick(random: Random, split: TextSplit): readonly [T, T] {
    const item = random.pick(this.#items[split]);
    const alike = this.#alike[split].get(item.likeness) ?? [];
    return [
      item,
      drawUntil(
        () => random.pick(alike),
        ({ answer }) => answer !== item.answer,
      ),
    ];
  }
}
