// Names of tensors in adapter_model.safetensors: which map and which factor each is; all others are named and refused.
import { LimnError } from '@limn/gpu';
import type { StoredTensor } from '@limn/hooks';
import type { AdaptedModel } from '../lora/lora-weights.js';
import { unsupported } from './adapter-config.js';

/** What stands in front of every module's name. */
export const KEY_PREFIX = 'base_model.model.';

/** A map's two tensors. */
export interface FactorPair {
  readonly A: StoredTensor;
  readonly B: StoredTensor;
}

/** A file's pairs by the name of the map, and what the model's own names lack in front, such as 'transformer.'. */
export interface AdapterKeys {
  readonly pairs: ReadonlyMap<string, FactorPair>;
  readonly prefix: string;
}

const FACTOR = /^(.+)\.lora_([AB])\.weight$/;

/** What names that are no factor of a linear map end in, and what that means. */
const OTHERS: readonly (readonly [form: RegExp, why: string])[] = [
  [/\.lora_magnitude_vector(\.|$)/, 'it is the magnitude of DoRA'],
  [/\.lora_embedding_[AB]$/, 'it changes an embedding'],
  [/\.lora_[AB]\.bias$/, 'it is a bias of a factor'],
  [/\.modules_to_save\.|\.token_adapter\./, 'it replaces a module'],
  [/\.(weight|bias)$/, 'it is no factor of a LoRA but a whole weight or bias'],
];

/**
 * Finds the pairs. Every tensor of the file is a factor of one of the model's linear maps, and every map has both.
 * @throws LimnError `data/peft-keys`, `data/peft-unsupported`
 */
export function readAdapterKeys(model: AdaptedModel, tensors: ReadonlyMap<string, StoredTensor>): AdapterKeys {
  const linears = model.linears().map(({ name }) => name);
  const halves = new Map<string, { A?: StoredTensor; B?: StoredTensor }>();
  const prefixes = new Set<string>();
  for (const [key, tensor] of tensors) {
    const [, module, factor] = FACTOR.exec(key) ?? [];
    if (module === undefined) {
      const why = OTHERS.find(([form]) => form.test(key))?.[1];
      throw why === undefined ? badKey(key, 'it is no name that PEFT gives') : unsupported('adapter_model', key, why);
    }
    if (!module.startsWith(KEY_PREFIX)) throw badKey(key, `it does not begin with ${KEY_PREFIX}`);
    const name = module.slice(KEY_PREFIX.length);
    const linear = linears.find((each) => name === each || name.endsWith(`.${each}`));
    if (linear === undefined)
      throw unsupported('adapter_model', key, 'the model has no such linear map; embeddings and heads are not adapted');
    prefixes.add(name.slice(0, name.length - linear.length));
    const half = halves.get(linear) ?? {};
    half[factor as 'A' | 'B'] = tensor;
    halves.set(linear, half);
  }
  const [prefix = ''] = prefixes;
  if (prefixes.size > 1) throw badKey([...prefixes].join(' and '), 'module names begin in more than one way');
  if (!/^(?:[A-Za-z_]\w*\.)*$/.test(prefix)) throw badKey(prefix, 'module names begin with something that is no name');
  const pairs = new Map<string, FactorPair>();
  for (const [linear, { A, B }] of halves) {
    if (!A || !B) throw badKey(`${linear}.lora_${A ? 'A' : 'B'}`, `its lora_${A ? 'B' : 'A'} is missing`);
    pairs.set(linear, { A, B });
  }
  return { pairs, prefix };
}

/** The refusal of a name, or of what is missing: `data/peft-keys`. */
export function badKey(key: string, what: string): LimnError {
  return new LimnError('data/peft-keys', `The tensor '${key.slice(0, 200)}' cannot be used: ${what}.`, {
    details: { key: key.slice(0, 200) },
    hint: `Names are '${KEY_PREFIX}transformer.h.0.attn.c_attn.lora_A.weight' and '….lora_B.weight', as save_pretrained writes them.`,
  });
}
