// Lists as callers give them, checked before anything is asked of their entries: one alone, text or a list in the list is refused by name.
import { LimnError, shownValue } from '@limn/gpu';
import type { Intervention } from './intervention.js';

/** @throws LimnError `hooks/bad-option` for anything but a list */
export function givenList<Each>(what: string, given: readonly Each[], example: string): readonly Each[] {
  if (Array.isArray(given)) return given;
  throw new LimnError('hooks/bad-option', `${what} is ${shownValue(given)}; it must be a list`, {
    details: { what, given: shownValue(given) },
    hint: `One alone stands in brackets too: ${what}: [${example}].`,
  });
}

/**
 * Interventions, each with a site and a function; none where nothing was given.
 * @throws LimnError `hooks/bad-option` for anything but a list, and for entries such as the list that `withAdapter` gives
 */
export function givenInterventions(given: readonly Intervention[] | undefined): readonly Intervention[] {
  const interventions = givenList('interventions', given ?? [], 'edit');
  const place = interventions.findIndex((each) => {
    const { at, apply } = Object(each) as Partial<Intervention>;
    return typeof at !== 'string' || typeof apply !== 'function';
  });
  if (place < 0) return interventions;
  const wrong: unknown = interventions[place];
  throw new LimnError('hooks/bad-option', `intervention ${place} is ${shownValue(wrong)}, which is no intervention`, {
    details: { place, given: shownValue(wrong) },
    hint: Array.isArray(wrong)
      ? 'Spread a list into the list: interventions: [...withAdapter(name, changes)].'
      : 'Make it with patch, scale, add, ablate, interpolate, freeze, replaceMlp or intervene.',
  });
}
