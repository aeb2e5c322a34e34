// A training update of a dictionary as everybody gets it: sizes, settings, rows and first weights. Runs in Node and in browsers.
import type { DictionaryConfig, DictionaryLoss } from '@limn/transcoders';
import { numbers } from '../harness/numbers.mjs';

/** A transcoder `width` → `features` → `width`, and the tokens of an update. */
export interface UpdateSizes {
  readonly tokens: number;
  readonly width: number;
  readonly features: number;
  /** Features that fire for a token, of `top-k`. */
  readonly k: number;
}

export const FORMS = ['top-k', 'relu'] as const;
/** `top-k`: k features of each token, dead ones kept alive by AuxK. `relu`: every positive one, with an L1 penalty. */
export type UpdateForm = (typeof FORMS)[number];

/** An update, and everything that it begins with; matrices have a feature to a row. */
export interface DictionaryUpdateSpec {
  readonly kind: 'dictionary update';
  readonly sizes: UpdateSizes;
  readonly config: DictionaryConfig;
  readonly loss: DictionaryLoss;
  /** Adam's; its means are .9 and .999, its ε 10⁻⁸. */
  readonly rate: number;
  /** Rows without firing after which a feature is dead, and as many as went by so far. */
  readonly deadAfter: number;
  /** [tokens, width] */
  readonly x: Float32Array;
  readonly y: Float32Array;
  /** [features, width] */
  readonly wEnc: Float32Array;
  readonly wDec: Float32Array;
  /** [features] */
  readonly bEnc: Float32Array;
  /** [width] */
  readonly bDec: Float32Array;
  /** Rows since each feature last fired, [features]. */
  readonly sinceFired: Uint32Array;
}

const DEAD_AFTER = 10_000_000;
/** One feature in so many is dead. */
const DEAD_EACH = 4;
/** Of Σ a for a token; about what the squared error is per feature that fires. */
const L1 = 1e-4;

/**
 * An update with the losses and the rate that `limn transcode train` would take, of random numbers. Pre-activations have the standard
 * deviation 1, those of dead features the mean −1.5: about as many of them are positive as AuxK takes, and hardly one fires.
 */
export function updateSpec(form: UpdateForm, sizes: UpdateSizes): DictionaryUpdateSpec {
  const { tokens, width, features, k } = sizes;
  const isDead = (feature: number): boolean => form === 'top-k' && feature % DEAD_EACH === 0;
  // Uniform numbers of −s to s have the variance s² / 3.
  const spread = 3 / Math.sqrt(width);
  const bEnc = numbers(features, 23, 0.1).map((value, f) => (isDead(f) ? value - 1.5 : value));
  return {
    kind: 'dictionary update',
    sizes,
    config: {
      layer: 0,
      input: 'ln2.hook_normalized',
      inputWidth: width,
      outputWidth: width,
      features,
      activation: form === 'top-k' ? { kind: 'top-k', k } : { kind: 'relu' },
      skip: false,
    },
    loss:
      form === 'top-k'
        ? { reconstruction: 'fvu', auxiliary: { features: Math.floor(width / 2), weight: 1 / 32 } }
        : { reconstruction: 'paper', sparsity: { kind: 'l1', weight: L1 } },
    rate: 2e-4 / Math.sqrt(features / 2 ** 14),
    deadAfter: DEAD_AFTER,
    x: numbers(tokens * width, 20),
    y: numbers(tokens * width, 21),
    wEnc: numbers(features * width, 22, spread),
    bEnc,
    wDec: numbers(features * width, 24),
    bDec: numbers(width, 25, 0.1),
    sinceFired: Uint32Array.from({ length: features }, (_, f) => (isDead(f) ? DEAD_AFTER : 0)),
  };
}

/** The same update of no more than `most` of its tokens. */
export function firstTokens(spec: DictionaryUpdateSpec, most: number): DictionaryUpdateSpec {
  const { sizes, x, y } = spec;
  const tokens = Math.min(sizes.tokens, most);
  const [first, of] = [x, y].map((rows) => rows.subarray(0, tokens * sizes.width)) as [Float32Array, Float32Array];
  return { ...spec, sizes: { ...sizes, tokens }, x: first, y: of };
}
