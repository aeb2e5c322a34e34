// How one cell looks and reads at a strength β: the factor that its activation is scaled by, its shade, and the words for it. Used when the page is made and inside it.
import { numberText } from './number-text.js';

/** What the numbers of a grid mean. */
export interface CellMeaning {
  /** 'α', '‖v‖'. */
  readonly name: string;
  /** Whether a number is an α that scales a whole activation, γ = γ(βα); else it is a size that β multiplies. */
  readonly scalar: boolean;
  readonly form: 'linear' | 'exponential' | 'bounded';
  /** A of 1 + A tanh(βα / A). */
  readonly bound: number;
  /** The number that is shaded fully at β = 1. */
  readonly most: number;
}

/** γ, by which h̃ = γ h. */
export function factorOf(t: number, { form, bound }: Pick<CellMeaning, 'form' | 'bound'>): number {
  if (form === 'exponential') return Math.exp(t);
  return form === 'bounded' ? 1 + bound * Math.tanh(t / bound) : 1 + t;
}

/** Shades of a cell: 1, hardly, to 9, fully. */
const shades = 9;
/** A factor as close to 0 as this is called 0: α are kept as f32. */
const nothing = 1e-6;

/** The class names of a cell. Colour is never alone: a sign stands in it, what is reversed is hatched, what is ablated has an outline. */
export function cellClasses(value: number | null, live: boolean, strength: number, meaning: CellMeaning): string {
  if (!live) return 'cell dead';
  if (value === null) return 'cell none';
  const t = strength * value;
  const factor = meaning.scalar ? factorOf(t, meaning) : 1;
  const change = meaning.scalar ? factor - 1 : t;
  if (change === 0) return 'cell zero';
  const kind = Math.abs(factor) < nothing ? ' ablated' : factor < 0 ? ' reversed' : '';
  return `cell ${shadeOf(change, meaning.most)}${kind}`;
}

/** 'up s3' for a third of `most`, 'down s9' for all of it below 0. */
export function shadeOf(value: number, most: number): string {
  const shade = Math.min(shades, Math.max(1, Math.ceil((Math.abs(value) / (most || 1)) * shades - 1e-9)));
  return `${value > 0 ? 'up' : 'down'} s${shade}`;
}

/** What becomes of the activation of a cell, as names and values. */
export function cellFigures(
  { value, live, heads }: { readonly value: number | null; readonly live: boolean; readonly heads?: readonly number[] },
  strength: number,
  meaning: CellMeaning,
): readonly (readonly [name: string, value: string])[] {
  if (!live) return [['cannot reach the answer', '×']];
  if (value === null) return [['not steered', '–']];
  if (!meaning.scalar) return [[meaning.name, numberText(value)], ...headFigures(heads, strength, meaning)];
  return [
    [meaning.name, numberText(value)],
    ['factor', factorText(factorOf(strength * value, meaning))],
  ];
}

function headFigures(
  heads: readonly number[] | undefined,
  strength: number,
  meaning: CellMeaning,
): (readonly [string, string])[] {
  return (heads ?? []).map((alpha, head) => [`head ${head}`, factorText(factorOf(strength * alpha, meaning))]);
}

/** '× 1.4', '× −0.2, reversed', '× 0, ablated'. */
export function factorText(factor: number): string {
  if (Math.abs(factor) < nothing) return '× 0, ablated';
  return `× ${numberText(factor)}${factor < 0 ? ', reversed' : ''}`;
}

/** 'attention out' for 'hook_attn_out'; a name that is not known stands as it is. */
export function siteName(site: string): string {
  return siteNames.get(site) ?? site;
}

const siteNames = new Map([
  ['hook_attn_out', 'attention out'],
  ['hook_mlp_out', 'MLP out'],
  ['attn.hook_z', 'attention heads'],
  ['mlp.hook_post', 'MLP neurons'],
  ['hook_resid_pre', 'residual stream, before'],
  ['hook_resid_mid', 'residual stream, between'],
  ['hook_resid_post', 'residual stream, behind'],
]);

/** Whether a cell of a site is one activation that one scalar scales, and not several units. */
export const isWhole = (site: string): boolean => site !== 'attn.hook_z' && site !== 'mlp.hook_post';

/** '+1', '−0.5', '0': a strength with its sign. */
export const strengthText = (strength: number): string =>
  strength > 0 ? `+${numberText(strength)}` : numberText(strength);
