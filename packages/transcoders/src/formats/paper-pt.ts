// The `.pt` files of arXiv 2406.11944: {"cfg", "state_dict"} with W_enc [d_in, F], W_dec [F, d_out], b_dec as the input's bias and b_dec_out as the output's.
import {
  blockHook,
  CheckedFields,
  PickleDict,
  PickleObject,
  plainValue,
  readTorchFile,
  TorchObject,
  TorchTensor,
  writeTorchFile,
  type PickleValue,
  type TorchFile,
} from '@limn/hooks';
import { checkConfig, type DictionaryConfig } from '../dictionary-config.js';
import { cannotExport } from './cannot-export.js';
import { splitName, type DictionaryFile, type DictionaryFiles } from './dictionary-files.js';
import { isReadable, placeOf } from './hook-places.js';
import { foldPreBias, transposed, unfoldPreBias } from './orientation.js';
import { firstNonFinite } from './read-tensors.js';
import { MOST_WIDTH } from './saelens-config.js';
import type { DictionaryProvenance, LoadedDictionary, StoredDictionary } from './stored-dictionary.js';

/** How often each feature fired, in files of their own. */
const SPARSITY = '_log_feature_sparsity.pt';
const CONFIG_CLASS = 'sae_training.config.LanguageModelSAERunnerConfig';

const fields = new CheckedFields(
  'data/dictionary-pt',
  'The .pt file',
  'Give a file of a transcoder or an SAE on an MLP output as the code of arXiv 2406.11944 saves them.',
);

/**
 * The dictionaries of all `.pt` files of a folder, by layer.
 * @throws LimnError `data/dictionary-pt`, and `data/torch-…` as `readTorchFile`; `usage/dictionary-config`; what the source of the files throws
 */
export async function openPaperFiles(files: DictionaryFiles): Promise<StoredDictionary[]> {
  const names = (await files.names()).filter((name) => name.endsWith('.pt') && !name.endsWith(SPARSITY));
  const found: StoredDictionary[] = [];
  for (const name of names) found.push(await openPaperFile(files, name));
  return found.sort((a, b) => a.config.layer - b.config.layer);
}

/**
 * The dictionary of one file. It reads x̂, without γ and β, and gives the MLP's output without its mean: the conventions of a model whose weights
 * TransformerLens processed; `readWithGain` brings it to a model as it is published.
 * @throws LimnError `data/dictionary-pt`, and `data/torch-…` as `readTorchFile`; `usage/dictionary-config`; what the source of the files throws
 */
export async function openPaperFile(files: DictionaryFiles, name: string): Promise<StoredDictionary> {
  const torch = await openTorch(files, name);
  const cfg = entryOf(torch.root, 'cfg');
  const state = entryOf(torch.root, 'state_dict');
  const attribute = (key: string): PickleValue | undefined =>
    cfg instanceof PickleObject || cfg instanceof PickleDict ? cfg.get(key) : undefined;
  if (!(state instanceof PickleDict))
    throw fields.refuse('state_dict', state && plainValue(state), 'a dict of tensors');
  const transcoder = fields.flag(attribute('is_transcoder') ?? false, 'cfg.is_transcoder');
  const reads = fields.text(attribute('hook_point'), 'cfg.hook_point');
  const writes = transcoder ? fields.text(attribute('out_hook_point'), 'cfg.out_hook_point') : reads;
  const place = placeOf(reads);
  const target = placeOf(writes);
  if (!place || !isReadable(place.site) || (place.site === 'hook_mlp_out') === transcoder)
    throw fields.refuse('cfg.hook_point', reads, 'what an MLP reads, or of an SAE what it writes');
  if (target?.site !== 'hook_mlp_out' || target.layer !== place.layer)
    throw fields.refuse('cfg.out_hook_point', writes, blockHook(place.layer, 'hook_mlp_out'));

  const I = fields.whole(attribute('d_in'), 'cfg.d_in', 1, MOST_WIDTH);
  const F = fields.whole(attribute('d_sae'), 'cfg.d_sae', 1, MOST_WIDTH);
  const O = transcoder ? fields.whole(attribute('d_out') ?? I, 'cfg.d_out', 1, MOST_WIDTH) : I;
  const shapes: Readonly<Record<string, readonly number[]>> = {
    W_enc: [I, F],
    b_enc: [F],
    W_dec: [F, O],
    b_dec: [I],
    ...(transcoder ? { b_dec_out: [O] } : {}),
  };
  const tensors = checkState(state, shapes);
  const { layer, site } = place;
  const activation = { kind: 'relu' } as const;
  const config = checkConfig({
    layer,
    input: site,
    inputWidth: I,
    outputWidth: O,
    features: F,
    activation,
    skip: false,
  });
  const model = attribute('model_name');
  const provenance: DictionaryProvenance = {
    format: 'transcoder-circuits',
    file: name,
    ...(typeof model === 'string' ? { model } : {}),
    reads,
    writes,
    expects: { gain: 'folded', output: 'centred', preBias: 'subtracted', bos: true },
    notes: ['b_dec, which its encoder subtracts from the input, is folded into b_enc.'],
    training: trainingOf(cfg),
  };
  const read = async (): Promise<LoadedDictionary> => {
    const numbers = async (key: string): Promise<Float32Array> => {
      const data = await torch.read(tensors.get(key) as TorchTensor);
      const odd = firstNonFinite(data);
      if (odd >= 0) throw fields.refuse(`state_dict.${key}[${odd}]`, data[odd], 'a finite number');
      return data;
    };
    const wEnc = transposed(await numbers('W_enc'), I, F);
    const preBias = await numbers('b_dec');
    const weights = {
      wEnc,
      bEnc: foldPreBias(wEnc, await numbers('b_enc'), preBias),
      wDec: await numbers('W_dec'),
      bDec: transcoder ? await numbers('b_dec_out') : preBias,
    };
    return { config, provenance, weights, preBias: { values: preBias, folded: true } };
  };
  return { config, provenance, read };
}

/**
 * log10 of how often each feature fired [F], of a `…_log_feature_sparsity.pt`: a tensor by itself, or under 'freqs'.
 * @throws LimnError `data/dictionary-pt`, and `data/torch-…` as `readTorchFile`; what the source of the files throws
 */
export async function readPaperSparsity(files: DictionaryFiles, name: string): Promise<Float32Array> {
  const torch = await openTorch(files, name);
  const tensor = torch.root instanceof PickleDict ? torch.root.get('freqs') : torch.root;
  if (tensor instanceof TorchTensor && tensor.shape.length === 1) return torch.read(tensor);
  throw fields.refuse(
    'its content',
    plainValue(torch.root),
    "a tensor of one dimension, or a dict with one under 'freqs'",
  );
}

async function openTorch(files: DictionaryFiles, name: string): Promise<TorchFile> {
  return readTorchFile({
    name,
    size: await files.size(name),
    bytes: (from, to) => files.bytes(name, from, to),
  });
}

function entryOf(root: PickleValue, key: string): PickleValue | undefined {
  if (root instanceof PickleDict && root.entries.has(key)) return root.get(key);
  throw fields.refuse(key, undefined, 'an entry of the dict that the file holds');
}

/** The tensors of the state_dict, all of their shapes, and no others. */
function checkState(
  state: PickleDict,
  shapes: Readonly<Record<string, readonly number[]>>,
): ReadonlyMap<string, TorchTensor> {
  const odd = [...state.entries.keys()].find((key) => !Object.hasOwn(shapes, String(key)));
  if (odd !== undefined)
    throw fields.refuse('state_dict', String(odd), `the tensors ${Object.keys(shapes).join(', ')}`);
  return new Map(
    Object.entries(shapes).map(([key, shape]) => {
      const tensor = state.get(key);
      if (tensor instanceof TorchTensor && tensor.shape.join() === shape.join()) return [key, tensor];
      throw fields.refuse(`state_dict.${key}`, tensor && plainValue(tensor), `a tensor [${shape.join(', ')}]`);
    }),
  );
}

function trainingOf(cfg: PickleValue | undefined): Readonly<Record<string, unknown>> {
  const state = cfg instanceof PickleObject ? cfg.state : cfg;
  return state instanceof PickleDict ? (plainValue(state) as Record<string, unknown>) : {};
}

/**
 * The file of one dictionary as that code reads it: the input's bias of a transcoder is 0, that of an SAE is taken out of b_enc again. The
 * dictionary has to read x̂ (`readWithoutGain`), as that code's models give it. A transcoder comes back to the bit.
 * @throws LimnError `usage/dictionary-export` for another activation than ReLU, and for a skip connection
 */
export function writePaperFile(
  { config, weights }: Pick<LoadedDictionary, 'config' | 'weights'>,
  {
    model,
    training = {},
  }: { readonly model: string; readonly training?: Readonly<Record<string, string | number | boolean | null>> },
): DictionaryFile {
  const { layer, input, inputWidth: I, outputWidth: O, features: F, activation, skip } = config;
  if (activation.kind !== 'relu' || skip)
    throw cannotExport(
      'The .pt of arXiv 2406.11944',
      skip ? 'a skip connection' : `the activation ${activation.kind}`,
      'ReLU transcoders and SAEs without a skip connection',
    );
  const transcoder = input !== 'hook_mlp_out';
  const preBias = transcoder ? new Float32Array(I) : weights.bDec;
  const hook = blockHook(layer, input);
  const cfg = new TorchObject(
    CONFIG_CLASS,
    new Map<string, string | number | boolean | null>([
      ...Object.entries(training),
      ['model_name', model],
      ['hook_point', hook],
      ['hook_point_layer', layer],
      ['hook_point_head_index', null],
      ['is_transcoder', transcoder],
      ...(transcoder ? outputFields(config) : []),
      ['d_in', I],
      ['d_sae', F],
    ]),
  );
  const state = new Map([
    ['W_enc', { shape: [I, F], data: transposed(weights.wEnc, F, I) }],
    ['b_enc', { shape: [F], data: transcoder ? weights.bEnc : unfoldPreBias(weights.wEnc, weights.bEnc, preBias) }],
    ['W_dec', { shape: [F, O], data: weights.wDec }],
    ['b_dec', { shape: [I], data: preBias }],
    ...(transcoder ? ([['b_dec_out', { shape: [O], data: weights.bDec }]] as const) : []),
  ]);
  const name = `final_sparse_autoencoder_${splitName(model).base}_${hook}_${F}.pt`;
  const root = new Map<string, TorchObject | typeof state>([
    ['cfg', cfg],
    ['state_dict', state],
  ]);
  return { name, bytes: writeTorchFile(root) };
}

function outputFields({ layer, outputWidth }: DictionaryConfig): [string, string | number][] {
  return [
    ['out_hook_point', blockHook(layer, 'hook_mlp_out')],
    ['out_hook_point_layer', layer],
    ['d_out', outputWidth],
  ];
}
