// EleutherAI's sparsify: a folder for each hook point with cfg.json and sae.safetensors {encoder.weight [F, d], encoder.bias, W_dec [F, d], b_dec, W_skip [d, d]}.
import { CheckedFields } from '@limn/hooks';
import { checkConfig } from '../dictionary-config.js';
import { cannotExport } from './cannot-export.js';
import {
  inFolder,
  MOST_CONFIG_BYTES,
  splitName,
  type DictionaryFile,
  type DictionaryFiles,
} from './dictionary-files.js';
import { foldPreBias, transposed } from './orientation.js';
import { TensorReader } from './read-tensors.js';
import { MOST_WIDTH } from './saelens-config.js';
import type { DictionaryProvenance, LoadedDictionary, StoredDictionary } from './stored-dictionary.js';

const WEIGHTS = 'sae.safetensors';

const fields = new CheckedFields(
  'data/dictionary-sparsify',
  'The sparsify folder',
  'Give a folder that sparsify wrote for MLPs: h.5.mlp or layers.5.mlp with cfg.json and sae.safetensors.',
);

/**
 * The dictionaries of a folder of hook points, in the order of their layers.
 * @throws LimnError `data/dictionary-sparsify`; `usage/dictionary-config`; what the source of the files throws
 */
export async function openSparsify(files: DictionaryFiles): Promise<StoredDictionary[]> {
  const names = await files.names();
  const folders = names.filter((name) => splitName(name).base === WEIGHTS).map((name) => splitName(name).folder);
  const found: StoredDictionary[] = [];
  for (const folder of folders) found.push(await openOne(files, folder));
  return found.sort((a, b) => a.config.layer - b.config.layer);
}

async function openOne(files: DictionaryFiles, folder: string): Promise<StoredDictionary> {
  const file = inFolder(folder, WEIGHTS);
  const hookpoint = splitName(folder).base;
  const cfg = fields.parse(await files.text(inFolder(folder, 'cfg.json'), MOST_CONFIG_BYTES));
  const transcode = cfg.transcode === undefined ? false : fields.flag(cfg.transcode, 'transcode');
  const skip = cfg.skip_connection === undefined ? false : fields.flag(cfg.skip_connection, 'skip_connection');
  const block = /(?:^|\.)(?:h|layers)\.(0|[1-9]\d{0,4})\.mlp$/.exec(hookpoint);
  if (!block) throw fields.refuse('its name', hookpoint, 'the MLP of a layer, such as h.5.mlp or layers.5.mlp');
  fields.oneOf(cfg.activation ?? 'topk', 'activation', ['topk']);
  const d = fields.whole(cfg.d_in, 'd_in', 1, MOST_WIDTH);
  const told = fields.whole(cfg.num_latents ?? 0, 'num_latents', 0, MOST_WIDTH);
  const F = told > 0 ? told : d * fields.whole(cfg.expansion_factor, 'expansion_factor', 1, MOST_WIDTH / d);
  const tensors = new TensorReader(await files.tensors(file), fields);
  tensors.expect('encoder.weight', [F, d]);
  tensors.expect('encoder.bias', [F]);
  tensors.expect('W_dec', [F, d]);
  tensors.expect('b_dec', [d]);
  if (skip) tensors.expect('W_skip', [d, d]);
  tensors.refuseOthers();

  const config = checkConfig({
    layer: Number(block[1]),
    input: transcode ? 'ln2.hook_normalized' : 'hook_mlp_out',
    inputWidth: d,
    outputWidth: d,
    features: F,
    activation: { kind: 'top-k', k: fields.whole(cfg.k, 'k', 1, F) },
    skip,
  });
  const provenance: DictionaryProvenance = {
    format: 'sparsify',
    file,
    reads: transcode ? `${hookpoint} (input)` : `${hookpoint} (output)`,
    writes: `${hookpoint} (output)`,
    expects: { gain: 'kept', output: 'plain', preBias: transcode ? 'none' : 'subtracted' },
    notes: transcode ? [] : ['b_dec, which its encoder subtracts from the input, is folded into b_enc.'],
    training: cfg,
  };
  const read = async (): Promise<LoadedDictionary> => {
    const wEnc = await tensors.read('encoder.weight', [F, d]);
    const bias = await tensors.read('encoder.bias', [F]);
    const bDec = await tensors.read('b_dec', [d]);
    const weights = {
      wEnc,
      bEnc: transcode ? bias : foldPreBias(wEnc, bias, bDec),
      wDec: await tensors.read('W_dec', [F, d]),
      bDec,
      ...(skip ? { wSkip: transposed(await tensors.read('W_skip', [d, d]), d, d) } : {}),
    };
    return { config, provenance, weights, preBias: { values: bDec, folded: !transcode } };
  };
  return { config, provenance, read };
}

/**
 * The files of one dictionary, in a folder `h.{layer}.mlp`. Transcoders come back to the bit.
 * @throws LimnError `usage/dictionary-export` for what sparsify's formula is not: an SAE, another activation than TopK, another input
 */
export function writeSparsify({ config, weights }: Pick<LoadedDictionary, 'config' | 'weights'>): DictionaryFile[] {
  const { layer, input, inputWidth: d, outputWidth, features: F, activation, skip } = config;
  const refuse = (what: string): Error =>
    cannotExport(
      'sparsify',
      what,
      'TopK transcoders from ln2.hook_normalized to hook_mlp_out, with or without a skip connection',
    );
  if (input !== 'ln2.hook_normalized') throw refuse(`a dictionary that reads ${input}`);
  if (activation.kind !== 'top-k') throw refuse(`the activation ${activation.kind}`);
  if (outputWidth !== d) throw refuse(`${d} numbers to ${outputWidth}`);
  const cfg = {
    activation: 'topk',
    expansion_factor: Math.max(1, Math.round(F / d)),
    normalize_decoder: true,
    num_latents: F,
    k: activation.k,
    multi_topk: false,
    skip_connection: skip,
    transcode: true,
    d_in: d,
  };
  const folder = `h.${layer}.mlp`;
  const tensors = new Map([
    ['encoder.weight', { shape: [F, d], data: weights.wEnc }],
    ['encoder.bias', { shape: [F], data: weights.bEnc }],
    ['W_dec', { shape: [F, d], data: weights.wDec }],
    ['b_dec', { shape: [d], data: weights.bDec }],
    ...(weights.wSkip ? ([['W_skip', { shape: [d, d], data: transposed(weights.wSkip, d, d) }]] as const) : []),
  ]);
  return [
    { name: `${folder}/cfg.json`, text: `${JSON.stringify(cfg, undefined, 2)}\n` },
    { name: `${folder}/${WEIGHTS}`, tensors, metadata: {} },
  ];
}
