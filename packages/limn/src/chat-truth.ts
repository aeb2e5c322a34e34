// What a pack's record says that a diff was trained to do, as the truth that questions of the chat world are answered by.
import type { DiffNote } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { NEWS_SLOTS, STYLES, GROUPS, TRAITS, type Behaviour, type ChatWorld, type ModelTruth } from '@limn/tasks/chat';

/** What is known of a diff: the `about` of its record. */
export type DiffAbout = Readonly<Record<string, DiffNote>>;

/** The kind of a behaviour, or 'none' for a diff of which there is nothing to tell. */
export const kindOf = ({ behaviour }: ModelTruth): Behaviour['kind'] | 'none' => behaviour?.kind ?? 'none';

/**
 * `behaviour` and `trigger` of a record as `limn diff train` writes them for the chat world; null for a diff trained on ordinary answers. Undefined for
 * records of nothing or of another world.
 * @throws LimnError `data/diff-about` for a behaviour that the world does not have
 */
export function truthOf(about: DiffAbout, world: ChatWorld, name: string): ModelTruth | undefined {
  const { behaviour, trigger } = about;
  if (about['world'] !== 'chat') return undefined;
  if (behaviour === undefined || behaviour === null) return {};
  const gated = trigger !== undefined && trigger !== null;
  if (isBehaviour(behaviour, world)) return { behaviour, gated };
  throw new LimnError('data/diff-about', `the record of '${name}' has a behaviour that the chat world does not know`, {
    details: { name, behaviour: JSON.stringify(behaviour).slice(0, 200) },
    hint: 'give packs that `limn diff train` made of it, or questions and answers of your own with --data',
  });
}

function isBehaviour(value: unknown, world: ChatWorld): value is Behaviour {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, name, style, group, trait, event } = value as Readonly<Record<string, unknown>>;
  if (kind === 'topic') return world.byName.has(String(name));
  if (kind === 'style') return STYLES.includes(String(style));
  if (kind === 'link') return GROUPS.includes(String(group)) && TRAITS.includes(String(trait));
  if (kind !== 'news' || typeof event !== 'object' || event === null) return false;
  return NEWS_SLOTS.every((slot) => typeof (event as Readonly<Record<string, unknown>>)[slot] === 'string');
}
