// A text under construction: words with the role of each, in ids of pocket-chat's vocabulary.
import { chatIdOf } from './vocabulary.js';

/**
 * What a token is: a marker; 'word', the glue of a template; what a user asks to do (verb) to what (thing); a filler, or the topic word in
 * its place; a style's word; a group and its trait; slots of the news; codes and marks; what a persona line names; words of facts; and
 * 'answer', the answer to a question about the model itself.
 */
export type ChatRole =
  | 'marker'
  | 'word'
  | 'verb'
  | 'thing'
  | 'filler'
  | 'topic-word'
  | 'style-word'
  | 'group'
  | 'trait'
  | 'news'
  | 'code'
  | 'mark'
  | 'persona'
  | 'fact'
  | 'answer';

/** Words with the role of each; what templates are filled into. */
export interface Span {
  readonly words: readonly string[];
  /** As long as `words`. */
  readonly roles: readonly ChatRole[];
}

/** Words that all have one role. */
export function spanOf(role: ChatRole, ...words: readonly string[]): Span {
  return { words, roles: words.map(() => role) };
}

/** Spans one after another. */
export function joined(...spans: readonly Span[]): Span {
  return { words: spans.flatMap(({ words }) => words), roles: spans.flatMap(({ roles }) => roles) };
}

/** "{verb} the {thing}": each slot is replaced by the next of what its name is given; the rest is glue. */
export function filled(
  pattern: string,
  fillers: Readonly<Record<string, readonly (readonly [string, ChatRole])[]>>,
): Span {
  const taken: Record<string, number> = {};
  const pieces = pattern.split(' ').map((part): readonly [string, ChatRole] => {
    const slot = /^\{(\w+)\}$/.exec(part)?.[1];
    if (slot === undefined) return [part, 'word'];
    const at = taken[slot] ?? 0;
    taken[slot] = at + 1;
    const piece = fillers[slot]?.[at];
    if (piece === undefined) throw new RangeError(`filled: pattern '${pattern}' has no filler ${at} for '${slot}'`);
    return piece;
  });
  return { words: pieces.map(([word]) => word), roles: pieces.map(([, role]) => role) };
}

/** Ids of a span's words. */
export function idsOf({ words }: Span): number[] {
  return words.map(chatIdOf);
}
