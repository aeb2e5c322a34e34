// Whether a regular expression from a file ends in time: backtracking walks every way in which an expression can read a text, so the
// ways are counted, as the runs of Glushkov's automaton (V. M. Glushkov, 1961) over every text.
import { regexTree, type RegexTree } from './regex-tree.js';

/**
 * Expressions that published tokenizers cut text by, beyond those that pass the count: GPT-4's (Llama 3, Qwen), with its spaces
 * before line ends, GPT-4o's, with its letters of either case, BLOOM's, and digits in threes from the right. What looks ambiguous in
 * them fails once per start at most.
 */
const inUse: ReadonlySet<string> = new Set([
  ...['{1,3}', ''].flatMap((digits) =>
    ["(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"].map(
      (endings) =>
        `${endings}|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
    ),
  ),
  "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
  "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  ' ?[^(\\s|[.,!?…。，、।۔،])]+',
  '\\d{1,3}(?=(?:\\d{3})*\\b)',
]);

/** Characters of an expression in a file; longer ones are in none. */
export const maxRegexCharacters = 4096;
/** As JavaScript runs it; a boundary of words takes 250 there. */
const maxLength = 2 ** 14;
/** Sets of characters in the expression, counted repeats written out. */
const maxPositions = 300;
/** Different sets, a bit each. */
const maxSets = 31;
/** Ways in which one stretch of text may be read from one start, whatever its length. */
const maxRuns = 16;
/** Characters that all ways together may look at before one is passed. */
const maxTries = 256;
/** Sets of runs to look through. */
const maxStates = 2000;

/**
 * True if reading a text of n characters takes at most a constant times n² steps, whatever the text: from each start there are never more
 * than 16 ways of reading. `pattern` as in the file, for those in use; `source` as JavaScript runs it (flags gu).
 */
export function endsInTime(pattern: string, source: string): boolean {
  if (inUse.has(pattern)) return true;
  if (source.length > maxLength) return false;
  const tree = regexTree(source);
  if (!tree) return false;
  const automaton = automatonOf(tree);
  return automaton !== undefined && hasFewRuns(automaton);
}

/** In how many ways each position comes next. */
type Ways = ReadonlyMap<number, number>;

interface Automaton {
  /** Per position: which set it reads. */
  readonly sets: readonly string[];
  readonly first: Ways;
  readonly follow: readonly Ways[];
}

/** A part of the expression: positions that it begins and ends with, and the ways in which it reads nothing. */
interface Part {
  readonly first: Ways;
  readonly last: Ways;
  readonly empty: number;
}

const nothing: Part = { first: new Map(), last: new Map(), empty: 1 };
const sum = (a: Ways, b: Ways, times = 1): Ways => {
  if (times === 0 || b.size === 0) return a;
  const total = new Map(a);
  for (const [at, ways] of b) total.set(at, (total.get(at) ?? 0) + times * ways);
  return total;
};

/** Glushkov's automaton with the number of ways of every step; undefined if it is too large. */
function automatonOf(tree: RegexTree): Automaton | undefined {
  const sets: string[] = [];
  const follow: Map<number, number>[] = [];
  let large = false;
  const join = (from: Ways, to: Ways): void => {
    for (const [p, leaving] of from)
      for (const [q, entering] of to) {
        const steps = follow[p] as Map<number, number>;
        steps.set(q, (steps.get(q) ?? 0) + leaving * entering);
      }
  };
  const inRow = (a: Part, b: Part): Part => {
    join(a.last, b.first);
    return { first: sum(a.first, b.first, a.empty), last: sum(b.last, a.last, b.empty), empty: a.empty * b.empty };
  };
  const optional = (part: Part): Part => ({ ...part, empty: part.empty + 1 });
  const partOf = (node: RegexTree): Part => {
    if (large || node.kind === 'empty') return nothing;
    if (node.kind === 'set') {
      large = sets.push(node.source) > maxPositions;
      follow.push(new Map());
      const here = new Map([[sets.length - 1, 1]]);
      return { first: here, last: here, empty: 0 };
    }
    if (node.kind === 'sequence') return node.parts.map(partOf).reduce(inRow, nothing);
    if (node.kind === 'choice')
      return node.parts.map(partOf).reduce((a, b) => ({
        first: sum(a.first, b.first),
        last: sum(a.last, b.last),
        empty: a.empty + b.empty,
      }));
    const { part, least, most } = node;
    // Parts that read nothing would be copied without an end in sight.
    large ||= Math.max(least, most === Infinity ? 0 : most) > maxPositions;
    if (large) return nothing;
    let rest = nothing;
    if (most === Infinity) {
      const loop = partOf(part);
      join(loop.last, loop.first);
      rest = least === 0 ? optional(loop) : loop;
    } else for (let i = least; i < most; i++) rest = optional(inRow(partOf(part), rest));
    const needed = most === Infinity ? Math.max(0, least - 1) : least;
    for (let i = 0; i < needed; i++) rest = inRow(partOf(part), rest);
    return rest;
  };
  const { first, empty } = partOf(tree);
  return large || empty > maxRuns ? undefined : { sets, first, follow };
}

/** Walks through all texts at once: the runs that are alive behind a text, by position, until there are no new ones or too many. */
function hasFewRuns({ sets, first, follow }: Automaton): boolean {
  const distinct = [...new Set(sets)];
  if (distinct.length > maxSets) return false;
  const kinds = characterKinds(distinct);
  const bits = sets.map((set) => 1 << distinct.indexOf(set));
  const seen = new Set<string>();
  const waiting: Ways[] = [];
  /** False if there are too many runs. */
  const read = (next: Ways): boolean => {
    if (total(next) > maxTries) return false;
    for (const kind of kinds) {
      const alive = new Map([...next].filter(([at]) => ((bits[at] as number) & kind) !== 0).sort(([a], [b]) => a - b));
      if (total(alive) > maxRuns) return false;
      const name = [...alive].join(' ');
      if (seen.has(name)) continue;
      seen.add(name);
      waiting.push(alive);
    }
    return seen.size <= maxStates;
  };
  if (!read(first)) return false;
  for (let alive = waiting.pop(); alive; alive = waiting.pop()) {
    let next: Ways = new Map();
    for (const [at, runs] of alive) next = sum(next, follow[at] as Ways, runs);
    if (!read(next)) return false;
  }
  return true;
}

function total(ways: Ways): number {
  let all = 0;
  for (const count of ways.values()) all += count;
  return all;
}

/** Which of the sets hold a character together, a bit each: every combination that a character of Unicode, or half a pair, has. */
function characterKinds(sets: readonly string[]): ReadonlySet<number> {
  /** Which sets begin or end where in the text of all characters. */
  const changes = new Map<number, number>();
  for (const [i, set] of sets.entries())
    for (const at of limitsOf(set)) changes.set(at, (changes.get(at) ?? 0) ^ (1 << i));
  let kind = 0;
  return new Set([...changes].sort(([a], [b]) => a - b).map(([, change]) => (kind ^= change)));
}

/** A class of letters takes a tenth of a second to look through. */
const limits = new Map<string, Uint32Array>();
const maxKnown = 64;

/** Where a set begins and ends, in turn, in the text of all characters. */
function limitsOf(set: string): Uint32Array {
  const known = limits.get(set);
  if (known) return known;
  everyCharacter ??= allCharacters();
  const found = [...everyCharacter.matchAll(new RegExp(`(?:${set})+`, 'gu'))];
  const made = Uint32Array.from(found.flatMap(({ 0: run, index }) => [index, index + run.length]));
  if (limits.size >= maxKnown) limits.clear();
  limits.set(set, made);
  return made;
}

/** Made when the first expression is looked at. */
let everyCharacter: string | undefined;

/** All code points; halves of pairs first, the second halves before the first so that they make no pair. */
function allCharacters(): string {
  const parts: string[] = [];
  const add = (from: number, to: number): void => {
    for (let at = from; at < to; at += 2 ** 12)
      parts.push(String.fromCodePoint(...Array.from({ length: Math.min(2 ** 12, to - at) }, (_, i) => at + i)));
  };
  add(0xdc00, 0xe000);
  add(0xd800, 0xdc00);
  add(0, 0xd800);
  add(0xe000, 0x110000);
  return parts.join('');
}
