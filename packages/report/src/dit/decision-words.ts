// Decisions as they are said, and a sign for each, so that none is told by its colour alone.
import type { DitDecision } from './dit-parts.js';

export const decisionWords: Readonly<Record<DitDecision, { readonly sign: string; readonly word: string }>> = {
  changed: { sign: '●', word: 'changed' },
  none: { sign: '○', word: 'nothing' },
  unsure: { sign: '◐', word: 'unsure' },
};

/** An answer as it is quoted; one without any text is told so. */
export const quoted = (answer: string): string => (answer.trim() ? `“${answer.trim()}”` : 'nothing at all');
