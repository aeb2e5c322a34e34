// What every text task offers: how many distinct clean prompts a split has, and one contrast drawn at random.
import type { Split } from '../held-out.js';
import { hash } from '../random.js';
import type { Random } from '../random.js';
import type { Tokens } from './tokens.js';

/** 'train' to find a circuit on, 'held-out' to measure it on: no clean prompt is in both. 'all' are the two together. */
export type TextSplit = Split | 'all';

/** A clean prompt, its corruption, and the answers that tell them apart, as text. */
export interface TextContrast {
  readonly clean: string;
  readonly corrupted: string;
  /** Answers with their leading space, where they have one. */
  readonly correct: readonly string[];
  readonly incorrect: readonly string[];
  /** What the clean prompt is about: splits by entity keep these apart. */
  readonly entities: readonly string[];
  /** The roles of words of the clean prompt that are not the glue of its template. */
  readonly roles: Readonly<Record<string, string>>;
  /** What was chosen, for filtering and for reports. */
  readonly labels: Readonly<Record<string, string>>;
}

/** A task made for one tokenizer and one seed. */
export interface TextSource {
  /** How many distinct clean prompts the split has. */
  size(split: TextSplit): number;
  /** One contrast. `turn` counts the draws from 0, for tasks whose kinds take turns. */
  draw(random: Random, split: TextSplit, turn: number): TextContrast;
}

/** Makes a task for a tokenizer. `seed` orders what takes turns. */
export type MakeSource = (tokens: Tokens, seed: number) => TextSource;

/** The words of a list that is written as one text. */
export const words = (text: string): readonly string[] => text.trim().split(/\s+/);

/** A quarter of the entities of a text task are held out: by name, so that it depends neither on the tokenizer nor on the seed. */
export const isEntityHeldOut = (task: string, entity: string): boolean => hash('text', task, entity) % 4 === 0;

/** Whether a cell belongs to a split. */
export const belongs = (heldOut: boolean, split: TextSplit): boolean =>
  split === 'all' || heldOut === (split === 'held-out');

/** The elements in an order that the stream decides (Fisher–Yates). */
export function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [order[i], order[j]] = [order[j] as T, order[i] as T];
  }
  return order;
}
