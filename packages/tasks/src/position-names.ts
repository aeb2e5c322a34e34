// One name per token of a prompt, unique within it: what values by role are kept under.

/** A token as it is named: by its role, or, where it is glue, by its text. */
export interface NamedToken {
  readonly text: string;
  /** Undefined for the glue of a template. */
  readonly role: string | undefined;
}

/**
 * A role that occurs again gets an ordinal: `country`, `country-2`. Glue is its text with its ordinal: `the#1`, `the#2`; the last token of
 * a prompt, where it is glue, is `last`, as it is where the answer is read off whatever the template.
 */
export function positionNames(tokens: readonly NamedToken[]): string[] {
  const seen = new Map<string, number>();
  return tokens.map(({ text, role }, i) => {
    if (role === undefined && i === tokens.length - 1) return 'last';
    const key = role ?? `${text}#`;
    const ordinal = (seen.get(key) ?? 0) + 1;
    seen.set(key, ordinal);
    if (role === undefined) return `${key}${ordinal}`;
    return ordinal === 1 ? role : `${role}-${ordinal}`;
  });
}
