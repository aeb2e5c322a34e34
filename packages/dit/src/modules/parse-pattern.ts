// Python's regular expressions as a tree: sets of characters, sequences, alternatives, repeats, anchors and looks around.

/** A part of an expression. Groups are what they hold. */
export type PatternPart =
  | { readonly kind: 'set'; has(code: number): boolean }
  | { readonly kind: 'anchor'; readonly where: 'start' | 'end' | 'boundary' | 'inside' }
  | { readonly kind: 'sequence'; readonly parts: readonly PatternPart[] }
  | { readonly kind: 'choice'; readonly parts: readonly PatternPart[] }
  | { readonly kind: 'repeat'; readonly part: PatternPart; readonly least: number; readonly most: number }
  | { readonly kind: 'look'; readonly part: PatternPart; readonly ahead: boolean; readonly holds: boolean };

/** Groups in each other. */
const MOST_DEPTH = 50;
const WORD = (code: number): boolean => /\w/.test(String.fromCharCode(code));
const DIGIT = (code: number): boolean => code >= 48 && code <= 57;
const SPACE = (code: number): boolean => /\s/.test(String.fromCharCode(code));
const CLASSES: ReadonlyMap<string, (code: number) => boolean> = new Map([
  ['d', DIGIT],
  ['w', WORD],
  ['s', SPACE],
  ['D', (code) => !DIGIT(code)],
  ['W', (code) => !WORD(code)],
  ['S', (code) => !SPACE(code)],
]);
const CONTROLS: ReadonlyMap<string, number> = new Map([
  ['n', 10],
  ['t', 9],
  ['r', 13],
  ['f', 12],
  ['v', 11],
]);
const ANCHORS = { A: 'start', Z: 'end', b: 'boundary', B: 'inside' } as const;
const GROUP = /\((?:\?(?::|P<[A-Za-z_]\w*>|<?[=!]))?/y;
const QUANTIFIER = /(?:[*+?]|\{\d{1,6}(?:,\d{0,6})?\}|\{,\d{1,6}\})([?+]?)/y;

/** The tree of an expression; `bad` makes the error for one that is not understood. */
export function parsePattern(source: string, bad: (what: string) => Error): PatternPart {
  return new PatternParser(source, bad).whole();
}

class PatternParser {
  #at = 0;

  constructor(
    readonly source: string,
    readonly bad: (what: string) => Error,
  ) {}

  whole(): PatternPart {
    const root = this.#choice(0);
    if (this.#at < this.source.length) throw this.#fault('a bracket closes what was not open');
    return root;
  }

  #choice(depth: number): PatternPart {
    if (depth > MOST_DEPTH) throw this.#fault(`more than ${MOST_DEPTH} groups lie in each other`);
    const parts = [this.#sequence(depth)];
    while (this.#peek() === '|') {
      this.#at++;
      parts.push(this.#sequence(depth));
    }
    return parts.length === 1 ? (parts[0] as PatternPart) : { kind: 'choice', parts };
  }

  #sequence(depth: number): PatternPart {
    const parts: PatternPart[] = [];
    while (this.#at < this.source.length && this.#peek() !== '|' && this.#peek() !== ')') {
      const part = this.#atom(depth);
      const quantifier = this.#take(QUANTIFIER);
      if (quantifier) parts.push(this.#repeated(part, quantifier));
      else parts.push(part);
      if (quantifier && this.#take(QUANTIFIER)) throw this.#fault('a repeat is repeated');
    }
    return { kind: 'sequence', parts };
  }

  #atom(depth: number): PatternPart {
    const group = this.#take(GROUP);
    if (group) {
      if (this.#peek() === '?') throw this.#fault('it has flags, a condition or an atomic group');
      const part = this.#choice(depth + 1);
      if (this.#peek() !== ')') throw this.#fault('a group does not end');
      this.#at++;
      const look = /<?[=!]$/.exec(group[0])?.[0];
      return look ? { kind: 'look', part, ahead: !look.startsWith('<'), holds: look.endsWith('=') } : part;
    }
    const sign = this.source[this.#at++] as string;
    switch (sign) {
      case '^':
        return { kind: 'anchor', where: 'start' };
      case '$':
        return { kind: 'anchor', where: 'end' };
      case '.':
        return { kind: 'set', has: (code) => code !== 10 };
      case '[':
        return this.#set();
      case '\\':
        return this.#escape();
      case '*':
      case '+':
      case '?':
        throw this.#fault(`'${sign}' has nothing to repeat`);
    }
    const code = sign.charCodeAt(0);
    return { kind: 'set', has: (other) => other === code };
  }

  #escape(): PatternPart {
    const sign = this.source[this.#at];
    if (sign !== undefined && Object.hasOwn(ANCHORS, sign)) {
      this.#at++;
      return { kind: 'anchor', where: ANCHORS[sign as keyof typeof ANCHORS] };
    }
    return { kind: 'set', has: this.#escaped() };
  }

  /** What an escaped sign stands for, in a set or out of one. */
  #escaped(): ((code: number) => boolean) & { readonly code?: number } {
    const sign = this.source[this.#at++];
    if (sign === undefined) throw this.#fault('it ends in a backslash');
    const known = CLASSES.get(sign);
    if (known) return known;
    if (/[0-9A-Za-z]/.test(sign) && !CONTROLS.has(sign))
      throw this.#fault(`'\\${sign}' is a back-reference or an escape that is not read`);
    const code = CONTROLS.get(sign) ?? sign.charCodeAt(0);
    return Object.assign((other: number) => other === code, { code });
  }

  #set(): PatternPart {
    const negated = this.#peek() === '^';
    if (negated) this.#at++;
    const members: ((code: number) => boolean)[] = [];
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const low = this.#member();
      const range =
        this.#peek() === '-' && this.source[this.#at + 1] !== ']' && this.source[this.#at + 1] !== undefined;
      if (!range) {
        members.push(low);
        continue;
      }
      this.#at++;
      const { code: from } = low;
      const { code: to } = this.#member();
      if (from === undefined || to === undefined || to < from) throw this.#fault('a set has a range without order');
      members.push((code) => code >= from && code <= to);
    }
    this.#at++;
    return { kind: 'set', has: (code) => members.some((has) => has(code)) !== negated };
  }

  #member(): ((code: number) => boolean) & { readonly code?: number } {
    const sign = this.source[this.#at];
    if (sign === undefined) throw this.#fault('a set does not end');
    this.#at++;
    if (sign === '\\') return this.#escaped();
    const code = sign.charCodeAt(0);
    return Object.assign((other: number) => other === code, { code });
  }

  #repeated(part: PatternPart, [text, kind]: RegExpExecArray): PatternPart {
    if (kind === '+') throw this.#fault('it has a possessive repeat');
    if (part.kind === 'anchor') throw this.#fault('it repeats an anchor');
    const sign = text[0] as string;
    if (sign !== '{')
      return { kind: 'repeat', part, least: sign === '+' ? 1 : 0, most: sign === '?' ? 1 : Number.POSITIVE_INFINITY };
    const [, from = '', comma, to = ''] = /^\{(\d*)(,?)(\d*)\}/.exec(text) ?? [];
    const least = Number(from);
    const most = comma === '' ? least : to === '' ? Number.POSITIVE_INFINITY : Number(to);
    if (most < least) throw this.#fault('a repeat has less as its most');
    return { kind: 'repeat', part, least, most };
  }

  #peek(): string | undefined {
    return this.source[this.#at];
  }

  #take(form: RegExp): RegExpExecArray | undefined {
    form.lastIndex = this.#at;
    const found = form.exec(this.source) ?? undefined;
    if (found) this.#at += found[0].length;
    return found;
  }

  #fault(what: string): Error {
    return this.bad(`${what}, at character ${this.#at}`);
  }
}
