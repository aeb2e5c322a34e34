// A value that somebody gave, for a message: short whatever it is, and never walked into.

/** Characters of a value that a message shows. */
const MOST = 100;

/**
 * What was given, in at most 101 characters: text in quotes, numbers and words as they are, lists and objects by their size, since
 * a file may nest them as deep as it likes; `undefined` is 'missing'.
 */
export function shownValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === 'object' && value !== null) return `an object of ${Object.keys(value).length} fields`;
  // What is cut off need not be quoted: a string may have hundreds of millions of characters.
  const text = typeof value === 'string' ? JSON.stringify(value.slice(0, MOST)) : String(value);
  const whole = text.length <= MOST && (typeof value !== 'string' || value.length <= MOST);
  return whole ? text : `${text.slice(0, MOST)}…`;
}
