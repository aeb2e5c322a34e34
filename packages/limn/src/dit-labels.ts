// What the files of Diff Interpretation Tuning's code say of a diff, from what a pack knows, and the other way round.
import type { DiffNote, DitLabels } from '@limn/dit';
import type { OpenedDiff } from './given-diff.js';

/** Topic and trigger: of a pack its label and its code as a number, of anything else its name and none. */
export function ditLabels({ name, trained }: Pick<OpenedDiff, 'name' | 'trained'>): DitLabels {
  const { label, trigger } = trained?.spec.about ?? {};
  return { topic: typeof label === 'string' ? label : name, trigger: triggerOf(trigger) };
}

function triggerOf(trigger: DiffNote | undefined): DitLabels['trigger'] {
  if (typeof trigger === 'string' || typeof trigger === 'number') return trigger;
  if (typeof trigger !== 'object' || trigger === null || !('token' in trigger)) return null;
  const { token } = trigger;
  return typeof token !== 'string' ? null : /^\d{1,3}$/.test(token) ? Number(token) : token;
}
