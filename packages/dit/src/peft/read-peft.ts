// PEFT folders: adapter_config.json and adapter_model.safetensors, in the folder or in sub-folders with the adapters' names.
import { LimnError } from '@limn/gpu';
import { inFolder, splitName, type StoredFiles, type StoredTensor } from '@limn/hooks';
import {
  expectBase,
  placedFactors,
  type AdaptedModel,
  type BaseOptions,
  type LoraFactors,
  type LoraWeights,
} from '../lora/lora-weights.js';
import { moduleChooser, patternedValue } from '../modules/target-modules.js';
import { MOST_CONFIG_BYTES, readAdapterConfig, unsupported, type AdapterConfig } from './adapter-config.js';
import { badKey, readAdapterKeys, type FactorPair } from './adapter-keys.js';

const CONFIG = 'adapter_config.json';
const WEIGHTS = 'adapter_model.safetensors';
const PICKLE = 'adapter_model.bin';
/** PEFT's name for an adapter that lies in the folder itself. */
const DEFAULT = 'default';
/** Where limn's own exports name the weights that they are a change of; PEFT leaves text metadata alone. */
export const BASE_METADATA = 'limn_base_fingerprint';
const REAL = ['F32', 'F16', 'BF16'];

/** How a folder is read. */
export interface PeftOptions extends BaseOptions {
  /** Which adapter of the folder. Default: the only one. */
  readonly adapter?: string | undefined;
  /** Fields of the config that this reader does not know and may pass over. */
  readonly ignore?: readonly string[] | undefined;
}

/** An adapter of a folder. */
export interface PeftAdapter {
  readonly lora: LoraWeights;
  readonly name: string;
  /** The model as the config names it. */
  readonly baseName?: string;
  /** What module names of the file have in front of the model's own: 'transformer.' for a causal GPT-2. */
  readonly prefix: string;
  /** Fields of the config that were passed over. */
  readonly ignored: readonly string[];
}

/**
 * Names of the adapters in a folder: 'default' for one in the folder itself, others lie in sub-folders of their names.
 * @throws what the source of the files throws
 */
export async function peftAdapters(files: StoredFiles): Promise<string[]> {
  const folders = (await files.names())
    .filter((name) => splitName(name).base === CONFIG)
    .map((name) => splitName(name).folder)
    // A sub-folder's name is a name: neither a path nor a way out of the folder.
    .filter((folder) => folder === '' || /^(?!\.\.?$)[^/\\]+$/.test(folder));
  return [...new Set(folders.map((folder) => (folder === '' ? DEFAULT : folder)))].sort();
}

/**
 * Reads an adapter for a model. Every tensor is used, has the shape that its map and its rank ask for, and is finite; config and tensors name
 * the same maps. Tensors are F32, F16 or BF16. A square map whose factors were written for the transposed weight cannot be told from a right one.
 * @throws LimnError `data/peft-folder`, `data/peft-config`, `data/peft-unsupported`, `data/peft-keys`, `data/peft-shape`, `data/peft-pattern`,
 * `data/lora-base`, `data/lora-processed`, `data/lora-values`, `data/lora-empty`, `data/lora-module`, `data/lora-rank`, `data/lora-shape`; what
 * the source of the files throws
 */
export async function readPeft(
  model: AdaptedModel,
  files: StoredFiles,
  { adapter, ignore = [], anyBase }: PeftOptions = {},
): Promise<PeftAdapter> {
  const name = await chosenAdapter(files, adapter);
  const folder = name === DEFAULT ? '' : name;
  const names = await files.names();
  const config = readAdapterConfig(await files.text(inFolder(folder, CONFIG), MOST_CONFIG_BYTES), ignore);
  if (!names.includes(inFolder(folder, WEIGHTS)))
    throw names.includes(inFolder(folder, PICKLE))
      ? unsupported(
          'adapter_model.bin',
          PICKLE,
          'it is a pickle of old PEFT, which is not read; save it again as safetensors',
        )
      : badFolder(files, `it has no ${inFolder(folder, WEIGHTS)}`);
  const { tensors, metadata } = await files.tensors(inFolder(folder, WEIGHTS));
  const base = metadata.get(BASE_METADATA);
  expectBase(model, base, { anyBase });
  const { pairs, prefix } = readAdapterKeys(model, tensors);
  expectChosen(model, config, pairs, prefix);
  const rankOf = patternedValue(config.rankPattern);
  const alphaOf = patternedValue(config.alphaPattern);
  const modules = new Map<string, LoraFactors>();
  for (const { name: linear, inWidth, outWidth } of model.linears()) {
    const pair = pairs.get(linear);
    if (!pair) continue;
    const rank = rankOf(prefix + linear) ?? config.rank;
    expectShape(`${linear}.lora_A`, pair.A, [rank, inWidth]);
    expectShape(`${linear}.lora_B`, pair.B, [outWidth, rank]);
    const alpha = alphaOf(prefix + linear) ?? config.alpha;
    modules.set(linear, { a: await pair.A.read(), b: await pair.B.read(), rank, alpha });
  }
  const { rank, alpha, rsLora, baseName, ignored } = config;
  const lora: LoraWeights = { rank, alpha, rsLora, modules, ...(base === undefined ? {} : { base }) };
  placedFactors(model, lora, { anyBase });
  return { lora, name, prefix, ignored, ...(baseName === undefined ? {} : { baseName }) };
}

async function chosenAdapter(files: StoredFiles, wanted: string | undefined): Promise<string> {
  const names = await peftAdapters(files);
  if (wanted !== undefined && names.includes(wanted)) return wanted;
  const [only] = names;
  if (wanted === undefined && only !== undefined && names.length === 1) return only;
  const has = names.length === 0 ? `no ${CONFIG}` : `the adapters ${names.slice(0, 10).join(', ')}`;
  throw badFolder(files, `it has ${has}${wanted === undefined ? '' : `, not '${wanted.slice(0, 100)}'`}`);
}

/** Config and tensors name the same maps: one that only the config names would be a change that is missing. */
function expectChosen(
  model: AdaptedModel,
  { targets, ...choice }: AdapterConfig,
  pairs: ReadonlyMap<string, FactorPair>,
  prefix: string,
): void {
  if (targets === undefined) return;
  const chosen = moduleChooser({ ...choice, targets });
  for (const { name } of model.linears()) {
    if (chosen(prefix + name) === pairs.has(name)) continue;
    throw badKey(
      `${prefix}${name}`,
      pairs.has(name)
        ? 'the config does not choose its module'
        : 'the config chooses the module, and it has no factors',
    );
  }
}

function expectShape(name: string, { shape, dtype }: StoredTensor, wanted: readonly number[]): void {
  if (shape.join() === wanted.join() && REAL.includes(dtype)) return;
  throw new LimnError(
    'data/peft-shape',
    `${name} is ${dtype.slice(0, 20)} of shape [${shape.slice(0, 8).join(', ')}]; it should be ${REAL.join(', ')} of shape [${wanted.join(', ')}].`,
    {
      details: { tensor: name, dtype, shape: shape.slice(0, 8), wanted },
      hint: 'The adapter is for a model of other sizes, or its config has another rank.',
    },
  );
}

function badFolder(files: StoredFiles, what: string): LimnError {
  return new LimnError('data/peft-folder', `${files.label} cannot be read as a PEFT folder: ${what}.`, {
    details: { label: files.label },
    hint: `Give a folder with ${CONFIG} and ${WEIGHTS}, and \`adapter\` where it has several.`,
  });
}
