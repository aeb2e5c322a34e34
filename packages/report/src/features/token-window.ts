// One example of a feature: the tokens around the one on which it fires, each coloured by how much it fires there.
import { drawn, type Drawn } from '../drawn.js';
import { numberText } from '../number-text.js';
import { carriesSpaces } from '../prompts.js';
import type { FeatureExample } from './feature-record.js';

/** Tokens on each side. */
export const around = 5;
/** Shades from 1, hardly, to 9, as much as anywhere; 0 where it does not fire. */
const shades = 9;

/** Activations that a feature takes, whose ends are no shade and all of it. */
export interface ActivationRange {
  readonly least: number;
  readonly most: number;
}

/** The shade of (a − min) / (max − min). */
export function fireShade(activation: number, { least, most }: ActivationRange): number {
  if (activation <= least || most <= least) return 0;
  return Math.min(shades, Math.max(1, Math.ceil(((activation - least) / (most - least)) * shades - 1e-9)));
}

/** The texts of an example's tokens, or their ids; null where both were left out. */
export const exampleWords = ({ tokens, texts }: FeatureExample): readonly string[] | null =>
  texts?.length ? texts : tokens.length ? tokens.map((id) => `#${id}`) : null;

/** The token with its activation as its tip; `▢` where the text was left out. */
function tokenOf(text: string | null, activation: number, isPeak: boolean, range: ActivationRange): Drawn {
  const shade = fireShade(activation, range);
  const classes = ['token', shade > 0 && `fire${shade}`, isPeak && 'peak', text === null && 'left-out'];
  const spaced = text?.startsWith(' ') === true;
  return drawn(
    'bdi',
    { class: classes.filter(Boolean).join(' '), title: `activation ${numberText(activation)}` },
    spaced && drawn('i', {}, '·'),
    text === null ? '▢' : spaced ? text.slice(1) : text,
  );
}

/** A line: the activation, then up to five tokens on each side. */
export function tokenWindow(example: FeatureExample, range: ActivationRange): Drawn {
  const { activations, at: peak, repeated = false } = example;
  const words = exampleWords(example);
  const first = Math.max(0, peak - around);
  const last = Math.min(activations.length, peak + around + 1);
  return drawn(
    'li',
    { class: 'window' },
    drawn('data', { value: activations[peak] ?? 0 }, numberText(activations[peak])),
    drawn(
      'span',
      { class: carriesSpaces(words ?? []) ? 'words' : 'words apart' },
      first > 0 && drawn('i', { class: 'cut' }, '…'),
      ...activations
        .slice(first, last)
        .map((activation, i) => tokenOf(words && (words[first + i] ?? ''), activation, first + i === peak, range)),
      last < activations.length && drawn('i', { class: 'cut' }, '…'),
      repeated && drawn('i', { class: 'again' }, 'again'),
    ),
  );
}
