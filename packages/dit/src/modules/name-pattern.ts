// Regular expressions of adapter configs, in Python's syntax, matched against module names without backtracking: which positions each part can
// end at is found once per part and position, so no expression takes longer than parts × characters².
import { LimnError, shownValue } from '@limn/gpu';
import { parsePattern, type PatternPart } from './parse-pattern.js';

/** Characters of an expression, and of a name: far beyond those of any model. */
export const MOST_PATTERN = 1000;
const MOST_NAME = 512;
/** Steps of all matches of one choice: an expression for a model's layers takes some hundreds for each name. */
const MOST_STEPS = 1_000_000;

/** What is left of the steps that expressions of one file may take together. */
export class PatternSteps {
  #left = MOST_STEPS;

  /** Takes some; false when there are not so many. */
  take(count: number): boolean {
    return (this.#left -= count) >= 0;
  }
}

/**
 * An expression of a config. It has Python's sets, groups, repeats, alternatives, anchors and looks around; back-references, flags and
 * atomic groups are refused.
 */
export class NamePattern {
  readonly #root: PatternPart;

  /** @throws LimnError `data/peft-pattern` */
  constructor(
    readonly source: string,
    readonly steps = new PatternSteps(),
  ) {
    if (source.length > MOST_PATTERN)
      throw badPattern(source, `it has ${source.length} characters; at most ${MOST_PATTERN} are read`);
    this.#root = parsePattern(source, (what) => badPattern(source, what));
  }

  /**
   * Whether the whole name matches, as Python's re.fullmatch has it.
   * @throws LimnError `data/peft-pattern` where that takes too long
   */
  matches(name: string): boolean {
    if (name.length > MOST_NAME) throw badPattern(this.source, `a name has more than ${MOST_NAME} characters`);
    const spend = (count: number): void => {
      if (!this.steps.take(count)) throw badPattern(this.source, `it takes more than ${MOST_STEPS} steps`);
    };
    return new Matching(name, spend).ends(this.#root, 0).includes(name.length);
  }
}

/** One name on its way through an expression. */
class Matching {
  readonly #known = new Map<PatternPart, (readonly number[] | undefined)[]>();

  constructor(
    readonly name: string,
    readonly spend: (steps: number) => void,
  ) {}

  /** Where a part that begins at a position can end, in ascending order. */
  ends(part: PatternPart, at: number): readonly number[] {
    this.spend(1);
    const known = this.#known.get(part) ?? [];
    this.#known.set(part, known);
    return (known[at] ??= this.#find(part, at));
  }

  #find(part: PatternPart, at: number): readonly number[] {
    switch (part.kind) {
      case 'set':
        return at < this.name.length && part.has(this.name.charCodeAt(at)) ? [at + 1] : [];
      case 'anchor':
        return this.#holds(part.where, at) ? [at] : [];
      case 'sequence':
        return part.parts.reduce<readonly number[]>((reached, next) => this.#from(next, reached), [at]);
      case 'choice':
        return this.#union(part.parts.map((each) => this.ends(each, at)));
      case 'look':
        return this.#looks(part, at) === part.holds ? [at] : [];
      case 'repeat':
        return this.#repeat(part, at);
    }
  }

  #from(part: PatternPart, reached: readonly number[]): readonly number[] {
    return this.#union(reached.map((at) => this.ends(part, at)));
  }

  #union(sets: readonly (readonly number[])[]): readonly number[] {
    if (sets.length === 1) return sets[0] as readonly number[];
    const all = sets.flat();
    this.spend(all.length);
    return [...new Set(all)].sort((x, y) => x - y);
  }

  /** Positions never decrease, so paths of more than n + 1 repeats stay somewhere: more of them reach nothing new. */
  #repeat({ part, least, most }: Extract<PatternPart, { kind: 'repeat' }>, at: number): readonly number[] {
    const enough = this.name.length + 1;
    let reached: readonly number[] = [at];
    for (let i = 0; i < Math.min(least, enough) && reached.length > 0; i++) reached = this.#from(part, reached);
    const all = new Set(reached);
    for (let i = 0; i < Math.min(most - least, enough) && reached.length > 0; i++) {
      reached = this.#from(part, reached).filter((end) => !all.has(end));
      for (const end of reached) all.add(end);
    }
    return [...all].sort((x, y) => x - y);
  }

  #looks({ part, ahead }: Extract<PatternPart, { kind: 'look' }>, at: number): boolean {
    if (ahead) return this.ends(part, at).length > 0;
    for (let from = at; from >= 0; from--) if (this.ends(part, from).includes(at)) return true;
    return false;
  }

  #holds(where: Extract<PatternPart, { kind: 'anchor' }>['where'], at: number): boolean {
    if (where === 'start') return at === 0;
    if (where === 'end') return at === this.name.length;
    const isWord = (i: number): boolean => /\w/.test(this.name[i] ?? '');
    return (isWord(at - 1) !== isWord(at)) === (where === 'boundary');
  }
}

function badPattern(source: string, what: string): LimnError {
  return new LimnError('data/peft-pattern', `The expression ${shownValue(source)} cannot be used: ${what}.`, {
    details: { pattern: source.slice(0, 200) },
    hint: "Write a list of module names instead, such as ['attn.c_attn', 'mlp.c_fc'].",
  });
}
