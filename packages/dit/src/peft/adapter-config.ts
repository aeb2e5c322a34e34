// adapter_config.json of a LoRA: what it says about ranks, scales and modules, each field checked; what would change the maths in ways that are not here is refused.
import { CheckedFields, JsonScanError, scanJson } from '@limn/hooks';
import { LimnError, shownValue } from '@limn/gpu';
import { MOST_RANK } from '../lora/lora-weights.js';
import type { ModuleChoice } from '../modules/target-modules.js';

/** What of a config decides the maths. */
export interface AdapterConfig extends Omit<ModuleChoice, 'targets'> {
  readonly rank: number;
  readonly alpha: number;
  readonly rsLora: boolean;
  /** Absent where the config leaves them to the model's kind: the tensors then say which. */
  readonly targets?: ModuleChoice['targets'];
  readonly rankPattern: ReadonlyMap<string, number>;
  readonly alphaPattern: ReadonlyMap<string, number>;
  /** As the file names the model. */
  readonly baseName?: string;
  /** Fields that this reader does not know and whose values say nothing. */
  readonly ignored: readonly string[];
}

/** Bytes of a config. */
export const MOST_CONFIG_BYTES = 2 ** 20;
const LIMITS = { depth: 16, keys: 10_000, items: 10_000 };

export const configFields = new CheckedFields(
  'data/peft-config',
  'adapter_config.json',
  'Give the config that PEFT wrote for a LoRA, whole.',
);

/** Fields that are read, or that describe how an adapter was made without changing what it computes. */
const KNOWN: ReadonlySet<string> = new Set([
  'peft_type', 'r', 'lora_alpha', 'use_rslora', 'target_modules', 'exclude_modules', 'layers_to_transform', 'layers_pattern', 'rank_pattern',
  'alpha_pattern', 'base_model_name_or_path', 'fan_in_fan_out', 'init_lora_weights', 'task_type', 'inference_mode', 'lora_dropout', 'revision',
  'auto_mapping', 'peft_version', 'megatron_core', 'loftq_config', 'eva_config', 'corda_config', 'lora_ga_config', 'velora_config', 'qalora_group_size',
  'bias', 'ensure_weight_tying',
]); // prettier-ignore

/** Fields whose values, unless they are off, change the maths or add weights; with what they are, for the message. */
const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ['use_dora', 'DoRA scales every column of the sum of weight and change'],
  ['lora_bias', 'B has a bias'],
  ['modules_to_save', 'whole modules are replaced'],
  ['trainable_token_indices', 'rows of the embedding are replaced'],
  ['layer_replication', 'layers are repeated'],
  ['alora_invocation_tokens', 'the change begins at certain tokens'],
  ['use_qalora', 'inputs are pooled'],
  ['use_bdlora', 'factors are block-diagonal'],
  ['arrow_config', 'adapters are chosen token by token'],
  ['kasa_config', 'singular values of the weight are removed'],
  ['monteclora_config', 'factors are drawn anew'],
  ['target_parameters', 'parameters that are no linear maps are changed'],
  ['megatron_config', 'maps are split over devices'],
]);

/** Initial values that leave the base weights alone; others (PiSSA, OLoRA, LoftQ, CorDA, …) store a change of weights that are nobody's. */
const PLAIN_INITS: readonly unknown[] = [undefined, null, true, false, 'gaussian', 'eva', 'orthogonal'];

/**
 * Reads a config. Fields that are not known are let go if they are off (null, false, 0, '', [] or {}), or named in `ignore`.
 * @throws LimnError `data/peft-config`, `data/peft-unsupported`
 */
export function readAdapterConfig(text: string, ignore: readonly string[] = []): AdapterConfig {
  const config = parse(text);
  const kind = configFields.text(config.peft_type, 'peft_type');
  if (kind !== 'LORA') throw unsupported('peft_type', kind, 'it is no LoRA');
  const bias = config.bias ?? 'none';
  if (bias !== 'none') throw unsupported('bias', bias, 'biases of the model are replaced');
  if (!PLAIN_INITS.includes(config.init_lora_weights))
    throw unsupported('init_lora_weights', config.init_lora_weights, 'the base weights were changed when it began');
  const ignored: string[] = [];
  for (const [field, value] of Object.entries(config)) {
    const why = UNSUPPORTED.get(field);
    if (KNOWN.has(field) || (why !== undefined && isOff(value))) continue;
    if (why !== undefined) throw unsupported(field, value, why);
    if (!isOff(value) && !ignore.includes(field))
      throw unsupported(field, value, 'this reader does not know the field, which may change the maths');
    ignored.push(field);
  }
  if (config.fan_in_fan_out !== undefined && config.fan_in_fan_out !== null)
    configFields.flag(config.fan_in_fan_out, 'fan_in_fan_out');
  const targets = choice(config.target_modules, 'target_modules');
  const exclude = choice(config.exclude_modules, 'exclude_modules');
  const layers = layersOf(config.layers_to_transform);
  const layersPattern = choice(config.layers_pattern, 'layers_pattern');
  if (typeof targets === 'string' && (layers || layersPattern))
    throw configFields.refuse(
      'layers_to_transform',
      layers ?? layersPattern,
      "absent where 'target_modules' is one text",
    );
  const baseName = config.base_model_name_or_path;
  return {
    rank: config.r === undefined ? 8 : configFields.whole(config.r, 'r', 1, MOST_RANK),
    alpha: config.lora_alpha === undefined ? 8 : configFields.finite(config.lora_alpha, 'lora_alpha'),
    rsLora: config.use_rslora === undefined ? false : configFields.flag(config.use_rslora, 'use_rslora'),
    ...(targets === undefined ? {} : { targets }),
    exclude,
    layers,
    layersPattern: typeof layersPattern === 'string' ? [layersPattern] : layersPattern,
    rankPattern: pattern(config.rank_pattern, 'rank_pattern', (value, field) =>
      configFields.whole(value, field, 1, MOST_RANK),
    ),
    alphaPattern: pattern(config.alpha_pattern, 'alpha_pattern', (value, field) => configFields.finite(value, field)),
    ...(typeof baseName === 'string' && baseName !== '' ? { baseName } : {}),
    ignored,
  };
}

/** JSON without repeated keys and within limits: two readers must not see two configs. */
function parse(text: string): Readonly<Record<string, unknown>> {
  try {
    scanJson(text, LIMITS);
  } catch (cause) {
    if (!(cause instanceof JsonScanError)) throw cause;
    throw configFields.refuse('the file', text, `JSON that can be read (${cause.message})`, cause);
  }
  return configFields.parse(text);
}

/** Names, one expression, or nothing. */
function choice(value: unknown, field: string): string | readonly string[] | undefined {
  if (value === undefined || value === null) return undefined;
  return typeof value === 'string' ? value : configFields.texts(value, field, 'a text or a list of texts');
}

function layersOf(value: unknown): readonly number[] | undefined {
  if (value === undefined || value === null) return undefined;
  const whole = (each: unknown, field: string): number => configFields.whole(each, field, 0, 1e6);
  if (typeof value === 'number') return [whole(value, 'layers_to_transform')];
  return configFields
    .list(value, 'layers_to_transform', 'a layer or a list of layers')
    .map((layer, i) => whole(layer, `layers_to_transform[${i}]`));
}

function pattern(
  value: unknown,
  field: string,
  check: (value: unknown, field: string) => number,
): ReadonlyMap<string, number> {
  if (value === undefined || value === null) return new Map();
  const entries = Object.entries(configFields.record(value, field));
  return new Map(entries.map(([key, each]) => [key, check(each, `${field}['${key.slice(0, 100)}']`)]));
}

function isOff(value: unknown): boolean {
  if (value === null || value === false || value === 0 || value === '') return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

/** The refusal of what this package does not compute: `data/peft-unsupported`. */
export function unsupported(what: string, given: unknown, why: string): LimnError {
  return new LimnError('data/peft-unsupported', `'${what}' is ${shownValue(given)}: ${why}.`, {
    details: { field: what, given: shownValue(given) },
    hint: 'Load it with PEFT, merge or convert it there to a plain LoRA of linear maps, and save that.',
  });
}
