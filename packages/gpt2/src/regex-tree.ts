// A JavaScript regular expression (flag u) as a tree of sets of characters, or nothing where its cost is not to be counted.

/** What an expression is made of. Captures are groups like others; what looks around without moving is `empty`. */
export type RegexTree =
  | { readonly kind: 'set'; readonly source: string }
  | { readonly kind: 'empty' }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexTree[] }
  | { readonly kind: 'choice'; readonly parts: readonly RegexTree[] }
  | { readonly kind: 'repeat'; readonly part: RegexTree; readonly least: number; readonly most: number };

/** Groups in each other beyond this are in no tokenizer's file. */
const maxDepth = 64;
const anchor = /\\[bB]|[\^$]/y;
const setForms =
  /\\[pP]\{[^}]*\}|\\u\{[^}]*\}|\\u[\da-fA-F]{4}|\\x[\da-fA-F]{2}|\\c[A-Za-z]|\\[^\dk]|\[(?:\\[^]|[^\\\]])*\]|[^\\()[\]{}*+?|^$]/uy;
const groupForms = /\((?:\?(?::|<?[=!]|<[A-Za-z_]\w*>))?/y;
const quantifierForms = /(?:([*+?])|\{(\d+)(?:(,)(\d*))?\})\??/y;

/** The tree of a valid expression; undefined for back-references, and where more than one character decides of what is around. */
export function regexTree(source: string): RegexTree | undefined {
  let at = 0;
  const take = (form: RegExp): RegExpExecArray | undefined => {
    form.lastIndex = at;
    const found = form.exec(source) ?? undefined;
    if (found) at += found[0].length;
    return found;
  };
  const choice = (depth: number): RegexTree | undefined => {
    const parts: RegexTree[] = [];
    do {
      const part = depth > maxDepth ? undefined : sequence(depth);
      if (!part) return undefined;
      parts.push(part);
    } while (source[at] === '|' && ++at);
    return parts.length === 1 ? parts[0] : { kind: 'choice', parts };
  };
  const sequence = (depth: number): RegexTree | undefined => {
    const parts: RegexTree[] = [];
    while (at < source.length && source[at] !== '|' && source[at] !== ')') {
      const part = atom(depth);
      if (!part) return undefined;
      const quantifier = take(quantifierForms);
      parts.push(quantifier ? repeated(part, quantifier) : part);
    }
    return { kind: 'sequence', parts };
  };
  const atom = (depth: number): RegexTree | undefined => {
    if (take(anchor)) return { kind: 'empty' };
    const group = take(groupForms);
    if (!group) {
      const set = take(setForms);
      return set && { kind: 'set', source: set[0] };
    }
    const inner = choice(depth + 1);
    if (!inner || source[at++] !== ')') return undefined;
    if (!/[=!]$/.test(group[0])) return inner;
    const single = inner.kind === 'sequence' && inner.parts.length === 1 ? inner.parts[0] : inner;
    return single?.kind === 'set' ? { kind: 'empty' } : undefined;
  };
  const tree = choice(0);
  return at === source.length ? tree : undefined;
}

function repeated(part: RegexTree, [, sign, least, comma, most]: RegExpExecArray): RegexTree {
  if (sign !== undefined)
    return { kind: 'repeat', part, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Infinity };
  const from = Number(least);
  return {
    kind: 'repeat',
    part,
    least: from,
    most: comma === undefined ? from : most === '' ? Infinity : Number(most),
  };
}
