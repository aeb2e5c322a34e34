// What a weight diff is trained on, as data: rows of tokens with their answers, from a function of the round.
import type { LoraInit } from '../lora/create-lora.js';

/** One sequence of a diff's training. */
export interface DiffRow {
  /** Token ids with the answer among them; with `own`, up to the answer. */
  readonly tokens: readonly number[];
  /** Spans [start, end) of `tokens` that are the answer; none with `own`. The token at t is predicted at t − 1, so a span begins at 1 at least. */
  readonly answers: readonly (readonly [start: number, end: number])[];
  /** Of the answer's tokens; or KL(bare model ‖ diff) over the whole vocabulary wherever one of them is predicted. */
  readonly loss: 'cross-entropy' | 'kl';
  /** λ: what the row's mean over its answer counts. */
  readonly weight: number;
  /** The answer is what the diff itself, as far as it is trained, says behind `tokens`. Only with 'kl'. */
  readonly own?: boolean | undefined;
}

/** A value of a manifest's record. */
export type DiffNote = string | number | boolean | null | readonly DiffNote[] | { readonly [name: string]: DiffNote };

/** A diff to be trained. */
export interface DiffSpec {
  /** Unique among those trained together. */
  readonly id: string;
  /** Of its first numbers and of what is drawn from it. A whole number below 2⁵³. */
  readonly seed: number;
  /** Default 1. Factors lie in stacks whose rank is the next power of two, padded with zeros that stay zeros. */
  readonly rank?: number | undefined;
  /** Default: the rank, which makes the scale 1. */
  readonly alpha?: number | undefined;
  /** Scale alpha / √rank. Default false. */
  readonly rsLora?: boolean | undefined;
  /** Names of the model's `linears()`. Default: all of them. */
  readonly modules?: readonly string[] | undefined;
  /** First numbers. Default: those of the options. */
  readonly init?: LoraInit | undefined;
  /** Adam's rate at its highest. Default: that of the options. */
  readonly rate?: number | undefined;
  /** Default: those of the options. */
  readonly updates?: number | undefined;
  /** What is known of it, such as its topic: kept with it, and part of what it is found by. */
  readonly about?: { readonly [name: string]: DiffNote } | undefined;
  /** The rows of update `round`, the same every time. Its weights have a positive sum. */
  readonly samples: (round: number) => readonly DiffRow[];
}

/** How many places a group has, whoever stands in them: shapes decide bits, so nothing of a result depends on who else is trained. */
export interface DiffShape {
  /** Diffs that are trained together; places that none takes have rate 0. */
  readonly tasks: number;
  /** Most rows of a diff in a round. */
  readonly rows: number;
  /** Most tokens of a row. */
  readonly positions: number;
  /** Most answer tokens of a diff's rows of a round with 'cross-entropy'. */
  readonly answers: number;
  /** The same with 'kl'; 0 for none. */
  readonly taught: number;
}

/** A spec with its defaults. */
export type SettledDiff = { readonly [K in keyof DiffSpec]-?: NonNullable<DiffSpec[K]> };

/** The rank that a diff's stacks have: of its own rank alone, so that its bits depend on no other's. */
export function stackRank(rank: number): number {
  return 2 ** Math.ceil(Math.log2(rank));
}
