// Tokens of many sequences by one number each: where a token stands, what stands around it, and whether two contexts are the same.
import { LimnError } from '@limn/gpu';

/** Sequences with their tokens numbered through; those at positions below `skip` have numbers, but are not scored. */
export class TokenPlaces {
  /** Tokens, one sequence behind the other. */
  readonly ids: Uint32Array;
  /** The number of each sequence's first token, and of all tokens, [S + 1]. */
  readonly starts: Uint32Array;
  /** Numbers of the sequences that have scored tokens. */
  readonly scored: readonly number[];
  /** How many tokens are scored. */
  readonly count: number;
  /**
   * 1 for a token that an earlier sequence has at the same position behind the same tokens, [tokens]. Nothing can tell the two apart: of
   * examples only the first is one, whichever round-off the other got in its batch.
   */
  readonly repeats: Uint8Array;

  /** @throws LimnError `data/feature-sequences` where no token is left to score */
  constructor(
    readonly sequences: readonly ArrayLike<number>[],
    readonly skip: number,
  ) {
    this.starts = new Uint32Array(sequences.length + 1);
    sequences.forEach(({ length }, s) => (this.starts[s + 1] = (this.starts[s] as number) + length));
    this.ids = new Uint32Array(this.starts.at(-1) as number);
    sequences.forEach((sequence, s) => this.ids.set(sequence, this.starts[s]));
    this.scored = [...sequences.keys()].filter((s) => (sequences[s] as ArrayLike<number>).length > skip);
    this.count = this.scored.reduce((sum, s) => sum + (sequences[s] as ArrayLike<number>).length - skip, 0);
    this.repeats = new Uint8Array(this.ids.length);
    sharedWithEarlier(sequences).forEach((length, s) => {
      const first = this.starts[s] as number;
      this.repeats.fill(1, first, first + length);
    });
    if (!(Number.isInteger(skip) && skip >= 0) || this.count === 0)
      throw new LimnError('data/feature-sequences', 'No token is left to read features at.', {
        details: { sequences: sequences.length, skip },
        hint: 'Give sequences that are longer than skip, a whole number from 0.',
      });
  }

  /** Scored tokens of a sequence. */
  of(sequence: number): number[] {
    const first = (this.starts[sequence] as number) + this.skip;
    return Array.from({ length: (this.starts[sequence + 1] as number) - first }, (_, i) => first + i);
  }

  /** The sequence that a token belongs to. */
  sequenceOf(place: number): number {
    let [low, high] = [0, this.starts.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if ((this.starts[middle] as number) <= place) low = middle;
      else high = middle;
    }
    return low;
  }

  /** [from, to) of the tokens at most `reach` away from one, in its sequence. */
  window(place: number, reach: number): readonly [from: number, to: number] {
    const sequence = this.sequenceOf(place);
    return [
      Math.max(this.starts[sequence] as number, place - reach),
      Math.min(this.starts[sequence + 1] as number, place + reach + 1),
    ];
  }

  /** Whether the same tokens stand around both, equally far. */
  sameContext(a: number, b: number, reach: number): boolean {
    if (this.ids[a] !== this.ids[b]) return false;
    const [fromA, toA] = this.window(a, reach);
    const [fromB, toB] = this.window(b, reach);
    if (a - fromA !== b - fromB || toA - a !== toB - b) return false;
    for (let i = 0; i < toA - fromA; i++) if (this.ids[fromA + i] !== this.ids[fromB + i]) return false;
    return true;
  }
}

/** Of each sequence how many of its first tokens are those of one before it in the list. */
function sharedWithEarlier(sequences: readonly ArrayLike<number>[]): Uint32Array {
  const at = (s: number): ArrayLike<number> => sequences[s] as ArrayLike<number>;
  const shared = (s: number, other: number): number => {
    const [a, b] = [at(s), at(other)];
    let length = 0;
    while (length < a.length && length < b.length && a[length] === b[length]) length++;
    return length;
  };
  const order = [...sequences.keys()].sort((s, other) => {
    const length = shared(s, other);
    return (at(s)[length] ?? -1) - (at(other)[length] ?? -1) || s - other;
  });
  // In lexical order the nearest earlier sequence on either side shares the most.
  const most = new Uint32Array(sequences.length);
  for (const side of [order, [...order].reverse()]) {
    const open: number[] = [];
    for (const s of side) {
      while (open.length > 0 && (open.at(-1) as number) > s) open.pop();
      const nearest = open.at(-1);
      if (nearest !== undefined) most[s] = Math.max(most[s] as number, shared(s, nearest));
      open.push(s);
    }
  }
  return most;
}
