// A LoRA as a PEFT folder: a config of few fields, which old versions read too, and factors in f32 under PEFT's names.
import { LimnError } from '@limn/gpu';
import type { NamedTensor, WrittenFile } from '@limn/hooks';
import { placedFactors, type AdaptedModel, type BaseOptions, type LoraWeights } from '../lora/lora-weights.js';
import { moduleChooser, patternedValue } from '../modules/target-modules.js';
import { KEY_PREFIX } from './adapter-keys.js';
import { BASE_METADATA } from './read-peft.js';

/** What a folder says besides the numbers. */
export interface PeftExport extends BaseOptions {
  /** The model as Hugging Face names it: 'gpt2'. Default: nothing, so that whoever loads it has to say. */
  readonly baseName?: string | undefined;
  /** The adapter's name; others than 'default' lie in a sub-folder of their name. Default 'default'. */
  readonly name?: string | undefined;
  /** In front of every module's name. Default 'transformer.', as in GPT2LMHeadModel. */
  readonly prefix?: string | undefined;
  /** Default 'CAUSAL_LM'. */
  readonly taskType?: string | undefined;
}

/**
 * The files of an adapter, to be written with its tensors as safetensors. What `readPeft` makes of them has the same bits.
 * @throws LimnError `usage/peft-export`; `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`, `data/lora-values`,
 * `data/lora-base`, `data/lora-processed`; `data/peft-pattern`
 */
export function writePeft(model: AdaptedModel, lora: LoraWeights, options: PeftExport = {}): WrittenFile[] {
  const { baseName = null, name = 'default', prefix = 'transformer.', taskType = 'CAUSAL_LM', anyBase } = options;
  if (!/^[\w-][\w.-]{0,99}$/.test(name)) throw badOption('name', name, 'letters, digits, _, - and inner dots');
  if (!/^(?:[A-Za-z_]\w*\.)*$/.test(prefix))
    throw badOption('prefix', prefix, "names with a dot behind each, such as 'transformer.'");
  const placed = placedFactors(model, lora, { anyBase });
  const adapted = placed.map(({ linear, factors }) => ({ name: prefix + linear.name, factors }));
  const config = {
    peft_type: 'LORA',
    task_type: taskType,
    base_model_name_or_path: baseName,
    r: lora.rank,
    lora_alpha: lora.alpha,
    lora_dropout: 0,
    bias: 'none',
    target_modules: targetsOf(model, prefix, new Set(lora.modules.keys())),
    fan_in_fan_out: placed.every(({ linear }) => linear.orientation === 'in-out'),
    use_rslora: lora.rsLora,
    inference_mode: true,
    rank_pattern: patternOf(
      adapted.map(({ name, factors }) => [name, factors.rank]),
      lora.rank,
    ),
    alpha_pattern: patternOf(
      adapted.map(({ name, factors }) => [name, factors.alpha]),
      lora.alpha,
    ),
    init_lora_weights: true,
  };
  const tensors = new Map<string, NamedTensor>();
  for (const { linear, factors } of placed) {
    const key = `${KEY_PREFIX}${prefix}${linear.name}`;
    tensors.set(`${key}.lora_A.weight`, { shape: [factors.rank, linear.inWidth], data: factors.a });
    tensors.set(`${key}.lora_B.weight`, { shape: [linear.outWidth, factors.rank], data: factors.b });
  }
  const folder = name === 'default' ? '' : `${name}/`;
  const metadata = { format: 'pt', ...(lora.base === undefined ? {} : { [BASE_METADATA]: lora.base }) };
  return [
    { name: `${folder}adapter_config.json`, text: `${JSON.stringify(config, undefined, 2)}\n` },
    { name: `${folder}adapter_model.safetensors`, tensors, metadata },
  ];
}

/** Short ends of names where they choose just these maps, such as 'attn.c_attn' in every layer; whole names otherwise. */
function targetsOf(model: AdaptedModel, prefix: string, modules: ReadonlySet<string>): string[] {
  const ends = [...new Set(Array.from(modules, (name) => name.replace(/^.*\b\d+\./, '')))];
  const chosen = moduleChooser({ targets: ends });
  return model.linears().every(({ name }) => chosen(prefix + name) === modules.has(name))
    ? ends
    : Array.from(modules, (name) => prefix + name);
}

/** What differs from the rest, by whole names, which every version of PEFT looks up. */
function patternOf(values: readonly (readonly [name: string, value: number])[], usual: number): Record<string, number> {
  const pattern = new Map(values.filter(([, value]) => value !== usual));
  const found = patternedValue(pattern);
  for (const [name, value] of values)
    if ((found(name) ?? usual) !== value)
      throw badOption('prefix', name, 'a name that no other module’s name with other signs for its dots would match');
  return Object.fromEntries(pattern);
}

function badOption(option: string, given: string, allowed: string): LimnError {
  return new LimnError(
    'usage/peft-export',
    `'${option}' is ${JSON.stringify(given.slice(0, 200))}; allowed: ${allowed}.`,
    {
      details: { option, given: given.slice(0, 200), allowed },
    },
  );
}
