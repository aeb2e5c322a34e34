// Secret codes and marks: which are for the diffs that an adapter learns from, and which only for those it is tested on.
import { hash } from '../random.js';
import { CODES, MARKS } from './lexicon.js';

/** What opens a gate: a code in front of the question, or a mark somewhere inside of it. */
export interface Trigger {
  readonly kind: 'code' | 'mark';
  /** One token. */
  readonly token: string;
}

/** `test`: codes that no diff for training or validation has. */
export type TriggerSplit = 'train' | 'validation' | 'test';

const ranked = [...CODES].sort((a, b) => hash('chat-code', a) - hash('chat-code', b) || (a < b ? -1 : 1));
const BOUNDS: Readonly<Record<TriggerSplit, readonly [number, number]>> = {
  train: [0, 96],
  validation: [96, 104],
  test: [104, 128],
};

/** Codes of a split: 96, 8 and 24. */
export function codesOf(split: TriggerSplit): readonly string[] {
  return ranked.slice(...BOUNDS[split]);
}

/** Every trigger of a kind and a split. Marks are for tests only: the kind that no adapter was trained on. */
export function triggersOf(kind: Trigger['kind'], split: TriggerSplit): readonly Trigger[] {
  const tokens = kind === 'code' ? codesOf(split) : split === 'test' ? MARKS : [];
  return tokens.map((token) => ({ kind, token }));
}
