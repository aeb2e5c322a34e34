// What the worker tells the page.

/** A word that may come next. */
export interface Likely {
  readonly word: string;
  /** Its probability. */
  readonly probability: number;
}

/** Where a head looks from the last token. */
export interface Look {
  readonly layer: number;
  readonly head: number;
  readonly word: string;
  /** Attention probability on that word. */
  readonly weight: number;
}

/** One message. They come in the order of this list, `next` once per word and `loss` once per update; `failed` ends them at any point. */
export type Told =
  | { readonly kind: 'guesses'; readonly adapter: string; readonly guesses: readonly Likely[] }
  | { readonly kind: 'looks'; readonly looks: readonly Look[] }
  | { readonly kind: 'next'; readonly prompt: string; readonly word: string; readonly probability: number }
  | { readonly kind: 'loss'; readonly step: number; readonly loss: number }
  | { readonly kind: 'taught'; readonly fact: string; readonly guesses: readonly Likely[] }
  | { readonly kind: 'done'; readonly milliseconds: number }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };
