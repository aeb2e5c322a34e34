// A LoRA of random directions that is as large as another: what a change looks like of which there is nothing to tell.
import { fillNormal } from '@limn/tensor';
import { changeNorm } from '../mechanism/diff-norms.js';
import { loraScale, type LoraFactors, type LoraWeights } from './lora-weights.js';

/**
 * A LoRA of the same maps, ranks and alphas with factors of normal numbers, B multiplied so that ‖s·B·A‖ of every map is that of `lora`; maps whose
 * change is 0 stay 0. Every map has a stream of its own, and the same seed gives the same bits everywhere.
 * @throws LimnError `tensor/random` for a seed that is none
 */
export function randomLike(lora: LoraWeights, seed: number): LoraWeights {
  const modules = Array.from(lora.modules, ([name, factors], stream): [string, LoraFactors] => {
    const scale = loraScale(factors, lora.rsLora);
    const a = new Float32Array(factors.a.length);
    const b = new Float32Array(factors.b.length);
    fillNormal(a, { seed, stream: 2 * stream }, 1);
    fillNormal(b, { seed, stream: 2 * stream + 1 }, 1);
    const drawn = changeNorm({ ...factors, a, b }, scale);
    const factor = drawn === 0 ? 0 : changeNorm(factors, scale) / drawn;
    return [name, { ...factors, a, b: b.map((value) => factor * value) }];
  });
  return { ...lora, modules: new Map(modules) };
}
