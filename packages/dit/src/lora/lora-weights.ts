// A LoRA on the host: per linear map two factors of low rank and a scale, y += s·(x·Aᵀ)·Bᵀ; and what is checked before one meets a model.
import { LimnError } from '@limn/gpu';
import { nearestFirst, type HookedModel, type LinearSite } from '@limn/hooks';

/** The change of one linear map: ΔW = s·B·A as [out, in], with s = alpha / rank, or alpha / √rank for a rank-stabilised LoRA. */
export interface LoraFactors {
  /** A, `lora_A` in PEFT: [rank, in], row-major. */
  readonly a: Float32Array;
  /** B, `lora_B` in PEFT: [out, rank], row-major. */
  readonly b: Float32Array;
  readonly rank: number;
  readonly alpha: number;
}

/** A whole adapter. */
export interface LoraWeights {
  /** Of maps that no pattern gives another rank; each map's own is with its factors. */
  readonly rank: number;
  readonly alpha: number;
  /** Whether scales are alpha / √rank (arXiv 2312.03732) instead of alpha / rank. */
  readonly rsLora: boolean;
  /** By the map's name among the model's `linears()`, such as `h.0.attn.c_attn`. */
  readonly modules: ReadonlyMap<string, LoraFactors>;
  /** The fingerprint of the weights that it is a change of; absent where nobody said. */
  readonly base?: string;
}

/** What is needed of a model to put a LoRA on it. */
export type AdaptedModel = Pick<HookedModel, 'info' | 'linears'>;

/** How strictly an adapter and a model have to belong together. */
export interface BaseOptions {
  /** Take adapters of other weights, and adapters of nobody knows which weights on processed ones. Default false. */
  readonly anyBase?: boolean | undefined;
}

/** A map with its factors, checked. */
export interface PlacedFactors {
  readonly linear: LinearSite;
  readonly factors: LoraFactors;
  /** s */
  readonly scale: number;
}

/** Beyond every width of a model. */
export const MOST_RANK = 2 ** 16;

/** s of one map. */
export function loraScale({ rank, alpha }: Pick<LoraFactors, 'rank' | 'alpha'>, rsLora: boolean): number {
  return alpha / (rsLora ? Math.sqrt(rank) : rank);
}

/**
 * The maps of a model that a LoRA changes, in the model's order, with every factor's size and numbers checked.
 * @throws LimnError `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`, `data/lora-base`,
 * `data/lora-processed`
 */
export function placedFactors(model: AdaptedModel, lora: LoraWeights, options: BaseOptions = {}): PlacedFactors[] {
  expectBase(model, lora.base, options);
  const linears = model.linears();
  const names = linears.map(({ name }) => name);
  if (lora.modules.size === 0)
    throw new LimnError('data/lora-empty', 'The adapter changes no linear map.', {
      hint: 'Give at least one map in `modules`.',
    });
  for (const name of lora.modules.keys())
    if (!names.includes(name))
      throw new LimnError('data/lora-module', `The adapter changes '${name}', which is no linear map of the model.`, {
        details: { module: name, nearest: nearestFirst(name, names).slice(0, 3) },
        hint: `Nearest are ${nearestFirst(name, names).slice(0, 3).join(', ')}.`,
      });
  return linears.flatMap((linear) => {
    const factors = lora.modules.get(linear.name);
    if (!factors) return [];
    checkFactors(linear, factors);
    const scale = loraScale(factors, lora.rsLora);
    if (!Number.isFinite(Math.fround(scale)))
      throw refuseValue(`alpha of ${linear.name}`, factors.alpha, 'a number whose scale f32 can hold');
    return [{ linear, factors, scale }];
  });
}

/**
 * Refuses an adapter of other weights.
 * @throws LimnError `data/lora-base`, `data/lora-processed`
 */
export function expectBase(
  { info }: Pick<AdaptedModel, 'info'>,
  base: string | undefined,
  { anyBase = false }: BaseOptions,
): void {
  if (anyBase || base === info.fingerprint) return;
  if (base !== undefined)
    throw new LimnError(
      'data/lora-base',
      `The adapter changes the weights ${base.slice(0, 80)}, and the model has ${info.fingerprint}.`,
      {
        details: { adapter: base.slice(0, 200), model: info.fingerprint },
        hint: 'Load the weights that it was made for, stored in the same way; or pass `anyBase: true` if they are meant to differ.',
      },
    );
  // Storage in f16 leaves what maps read alone; folded or centred weights do not.
  if (info.processing.split(', ').some((done) => done !== 'none' && done !== 'f16'))
    throw new LimnError(
      'data/lora-processed',
      `The adapter does not say whose change it is, and the model's weights were processed (${info.processing}).`,
      {
        details: { processing: info.processing },
        hint: 'Load the model without processing: adapters are made for weights as they are published. Or pass `anyBase: true`.',
      },
    );
}

function checkFactors({ name, inWidth, outWidth }: LinearSite, { a, b, rank, alpha }: LoraFactors): void {
  if (!Number.isInteger(rank) || rank < 1 || rank > MOST_RANK)
    throw new LimnError(
      'data/lora-rank',
      `The rank of ${name} is ${rank}; it is a whole number from 1 to ${MOST_RANK}.`,
      {
        details: { module: name, rank, most: MOST_RANK },
      },
    );
  if (typeof alpha !== 'number' || !Number.isFinite(alpha))
    throw refuseValue(`alpha of ${name}`, alpha, 'a finite number');
  for (const [factor, values, rows, columns] of [
    ['A', a, rank, inWidth],
    ['B', b, outWidth, rank],
  ] as const) {
    if (values.length !== rows * columns)
      throw new LimnError(
        'data/lora-shape',
        `${factor} of ${name} has ${values.length} numbers; [${rows}, ${columns}] has ${rows * columns}.`,
        { details: { module: name, factor, given: values.length, shape: [rows, columns] } },
      );
    const odd = values.findIndex((value) => !Number.isFinite(value));
    if (odd >= 0) throw refuseValue(`${factor} of ${name} at ${odd}`, values[odd], 'a finite number');
  }
}

function refuseValue(what: string, given: unknown, allowed: string): LimnError {
  return new LimnError('data/lora-values', `${what} is ${String(given)}; it should be ${allowed}.`, {
    details: { what, given: String(given) },
    hint: 'Factors are finite numbers: a training that left them has diverged.',
  });
}
