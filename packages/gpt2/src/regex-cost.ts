// Whether a regular expression from a file can be trusted to end: backtracking takes exponential time where repeats are nested.

/** Longer ones are in no tokenizer's file. */
const maxLength = 4096;
const unboundedRepeat = /^(?:[*+]|\{\d*,\})/;
const variableRepeat = /^(?:[*+?]|\{\d*,\d*\})/;

/**
 * True unless a group that may match in several ways (it holds a repeat of variable length or an alternative) is itself repeated
 * without bound, as in `(a+)+` or `(a|a)*`, the forms whose backtracking is exponential.
 */
export function endsInTime(pattern: string): boolean {
  if (pattern.length > maxLength) return false;
  /** For each open group: whether it may match in several ways. */
  const open: boolean[] = [false];
  for (let at = 0; at < pattern.length; at++) {
    const sign = pattern[at];
    if (sign === '\\') at++;
    else if (sign === '[') at = classEnd(pattern, at);
    else if (sign === '(') open.push(false);
    else if (sign === '|') open[open.length - 1] = true;
    else if (sign === ')') {
      const several = open.length > 1 && open.pop() === true;
      if (several && unboundedRepeat.test(pattern.slice(at + 1, at + 32))) return false;
      if (several) open[open.length - 1] = true;
    } else if (pattern[at - 1] !== '(' && variableRepeat.test(pattern.slice(at, at + 32))) {
      open[open.length - 1] = true;
    }
  }
  return true;
}

/** Where a character class ends; classes may stand inside classes. */
function classEnd(pattern: string, from: number): number {
  let depth = 0;
  for (let at = from; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === '[') depth++;
    else if (pattern[at] === ']' && --depth === 0) return at;
  }
  return pattern.length;
}
