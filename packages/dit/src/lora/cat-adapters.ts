// Several LoRAs as one: A = [A₁; A₂], B = [w₁s₁B₁ | w₂s₂B₂]. Ranks add up, and the sum of the changes is exact; a sum of factors would not be.
import { LimnError } from '@limn/gpu';
import { checkStrength } from './lora-adapter.js';
import { loraScale, type LoraFactors, type LoraWeights } from './lora-weights.js';

/** An adapter and how much of it. */
export interface WeightedLora {
  readonly lora: LoraWeights;
  /** Default 1. */
  readonly strength?: number;
}

/**
 * One LoRA that changes what all of them together change, for tools that take one adapter. Its scales are 1 (alpha is the rank); strengths and
 * scales are multiplied into B, each product rounded to f32 once.
 * @throws LimnError `usage/lora-cat` for none, and for adapters of different weights or of maps of different sizes; `usage/lora-strength`
 */
export function catAdapters(adapters: readonly WeightedLora[]): LoraWeights {
  const bases = new Set(adapters.flatMap(({ lora: { base } }) => (base === undefined ? [] : [base])));
  if (adapters.length === 0 || bases.size > 1)
    throw refuse(
      adapters.length === 0 ? 'No adapter was given.' : 'The adapters are changes of different weights.',
      'Give adapters of one model.',
    );
  const names = new Set(adapters.flatMap(({ lora }) => [...lora.modules.keys()]));
  const modules = new Map(Array.from(names, (name) => [name, joined(name, adapters)]));
  const rank = Math.max(...Array.from(modules.values(), (factors) => factors.rank));
  const [base] = bases;
  // Only if all of them say so is the whole a change of those weights.
  const known = base !== undefined && adapters.every(({ lora }) => lora.base === base);
  return { rank, alpha: rank, rsLora: false, modules, ...(known ? { base } : {}) };
}

function joined(name: string, adapters: readonly WeightedLora[]): LoraFactors {
  const parts = adapters.flatMap(({ lora, strength = 1 }) => {
    checkStrength(strength);
    const factors = lora.modules.get(name);
    return factors ? [{ factors, factor: strength * loraScale(factors, lora.rsLora) }] : [];
  });
  const rank = parts.reduce((sum, { factors }) => sum + factors.rank, 0);
  const [first] = parts as [(typeof parts)[number]];
  const inWidth = first.factors.a.length / first.factors.rank;
  const outWidth = first.factors.b.length / first.factors.rank;
  const a = new Float32Array(rank * inWidth);
  const b = new Float32Array(outWidth * rank);
  let from = 0;
  for (const { factors, factor } of parts) {
    if (factors.a.length !== factors.rank * inWidth || factors.b.length !== factors.rank * outWidth)
      throw refuse(`The adapters change maps '${name}' of different sizes.`, 'Give adapters of one model.');
    a.set(factors.a, from * inWidth);
    for (let o = 0; o < outWidth; o++)
      for (let k = 0; k < factors.rank; k++)
        b[o * rank + from + k] = factor * (factors.b[o * factors.rank + k] as number);
    from += factors.rank;
  }
  return { a, b, rank, alpha: rank };
}

function refuse(what: string, hint: string): LimnError {
  return new LimnError('usage/lora-cat', what, { hint });
}
