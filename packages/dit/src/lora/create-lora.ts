// A new LoRA: which maps, which ranks and alphas, and first numbers that change nothing, from counter-based random numbers.
import { LimnError } from '@limn/gpu';
import type { LinearSite } from '@limn/hooks';
import { fillNormal, fillUniform } from '@limn/tensor';
import { moduleChooser, patternedValue, type ModuleChoice } from '../modules/target-modules.js';
import { MOST_RANK, type AdaptedModel, type LoraFactors, type LoraWeights } from './lora-weights.js';

/**
 * First numbers; one factor is 0, so that ΔW is 0.
 * - `peft`: A uniform in ±1/√in (Kaiming-uniform with a = √5), B 0.
 * - `gaussian`: A normal with deviation 1/r, B 0, as PEFT's of this name.
 * - `dit-diff`: B uniform in ±√(6/(r·out)), A 0, as the diffs of arXiv 2510.05092.
 * - `dit-adapter`: B uniform in ±√(6/r), A 0, as the adapter that is trained on them.
 */
export const LORA_INITS = ['peft', 'gaussian', 'dit-diff', 'dit-adapter'] as const;

/** One of `LORA_INITS`. */
export type LoraInit = (typeof LORA_INITS)[number];

/** What a new LoRA is to be. */
export interface NewLora extends Partial<ModuleChoice> {
  /** Default 8, as PEFT's. */
  readonly rank?: number;
  /** Default 8, as PEFT's; arXiv 2510.05092 has 1. */
  readonly alpha?: number;
  /** Scales alpha / √rank. Default false. */
  readonly rsLora?: boolean;
  /** Other ranks, by expressions that names end in; the first that matches counts. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  /** Other alphas, in the same way. */
  readonly alphaPattern?: Readonly<Record<string, number>>;
  /** Default `peft`. */
  readonly init?: LoraInit;
  /** Default 0. Every map has a stream of its own: its numbers do not depend on which others are adapted. */
  readonly seed?: number;
}

/**
 * A LoRA of a model's maps (default: all of them) that changes nothing yet. The same seed gives the same bits everywhere.
 * @throws LimnError `usage/lora-option`, `data/peft-pattern`, `tensor/random`
 */
export function createLora(model: AdaptedModel, options: NewLora = {}): LoraWeights {
  const { rank = 8, alpha = 8, rsLora = false, init = 'peft', seed = 0, targets = 'all-linear', layers } = options;
  if (!LORA_INITS.includes(init)) throw badOption('init', init, LORA_INITS.join(', '));
  checkRank('rank', rank);
  checkAlpha('alpha', alpha);
  for (const [key, value] of Object.entries(options.rankPattern ?? {})) checkRank(`rankPattern['${key}']`, value);
  for (const [key, value] of Object.entries(options.alphaPattern ?? {})) checkAlpha(`alphaPattern['${key}']`, value);
  const chosen = moduleChooser({ targets, exclude: options.exclude });
  const rankOf = patternedValue(new Map(Object.entries(options.rankPattern ?? {})));
  const alphaOf = patternedValue(new Map(Object.entries(options.alphaPattern ?? {})));
  const modules = new Map<string, LoraFactors>();
  for (const [stream, linear] of model.linears().entries()) {
    if (!chosen(linear.name) || (layers && !layers.includes(linear.layer))) continue;
    const own = { rank: rankOf(linear.name) ?? rank, alpha: alphaOf(linear.name) ?? alpha };
    modules.set(linear.name, { ...own, ...firstFactors(linear, own.rank, init, { seed, stream }) });
  }
  if (modules.size === 0)
    throw badOption(
      'targets',
      targets,
      `some of ${model
        .linears()
        .map(({ name }) => name)
        .slice(0, 4)
        .join(', ')}, …`,
    );
  return { rank, alpha, rsLora, modules, base: model.info.fingerprint };
}

function firstFactors(
  { inWidth, outWidth }: LinearSite,
  rank: number,
  init: LoraInit,
  source: { readonly seed: number; readonly stream: number },
): Pick<LoraFactors, 'a' | 'b'> {
  const a = new Float32Array(rank * inWidth);
  const b = new Float32Array(outWidth * rank);
  if (init === 'gaussian') fillNormal(a, source, 1 / rank);
  else if (init === 'peft') fillWithin(a, 1 / Math.sqrt(inWidth), source);
  else fillWithin(b, Math.sqrt(6 / (init === 'dit-diff' ? rank * outWidth : rank)), source);
  return { a, b };
}

/** Uniform numbers in [−bound, bound). */
function fillWithin(
  values: Float32Array,
  bound: number,
  source: { readonly seed: number; readonly stream: number },
): void {
  fillUniform(values, source);
  for (let i = 0; i < values.length; i++) values[i] = (2 * (values[i] as number) - 1) * bound;
}

function checkRank(name: string, rank: number): void {
  if (!Number.isInteger(rank) || rank < 1 || rank > MOST_RANK)
    throw badOption(name, rank, `a whole number from 1 to ${MOST_RANK}`);
}

function checkAlpha(name: string, alpha: number): void {
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) throw badOption(name, alpha, 'a finite number');
}

function badOption(name: string, given: unknown, allowed: string): LimnError {
  return new LimnError('usage/lora-option', `'${name}' is ${String(given)}; allowed: ${allowed}.`, {
    details: { option: name, given: String(given), allowed },
  });
}
