// The refusal of a dictionary that another tool's format has no words for.
import { LimnError } from '@limn/gpu';

/** `usage/dictionary-export`: what cannot be said in which format, and what can. */
export const cannotExport = (format: string, what: string, allowed: string): LimnError =>
  new LimnError('usage/dictionary-export', `${format} has no way to write ${what}.`, {
    details: { format, given: what, allowed },
    hint: `It takes ${allowed}. limn's own format takes everything (writeDictionarySet).`,
  });
