// SAELens folders: cfg.json and sae_weights.safetensors, W_enc [d_in, d_sae], W_dec [d_sae, d_out], threshold [d_sae], W_skip [d_out, d_in].
import { blockHook } from '@limn/hooks';
import { checkConfig, type DictionaryActivation, type DictionaryConfig } from '../dictionary-config.js';
import type { DictionaryWeights } from '../dictionary.js';
import {
  inFolder,
  MOST_CONFIG_BYTES,
  splitName,
  type DictionaryFile,
  type DictionaryFiles,
} from './dictionary-files.js';
import { cannotExport } from './cannot-export.js';
import { foldPreBias, transposed } from './orientation.js';
import { TensorReader } from './read-tensors.js';
import { readSaeLensConfig, saeLensFields, type SaeLensConfig } from './saelens-config.js';
import type { LoadedDictionary, StoredDictionary } from './stored-dictionary.js';
import { checkedThresholds, logThresholds, thresholds } from './thresholds.js';

const WEIGHTS = 'sae_weights.safetensors';
/** ε of SAELens's own JumpReLU classes, for files that do not say theirs; only further training reads it. */
const USUAL_BANDWIDTH = 0.05;

/**
 * The dictionaries of a folder, and of the folders below it, that SAELens wrote, in the order of their names.
 * @throws LimnError `data/dictionary-saelens`; `usage/dictionary-config`; what the source of the files throws
 */
export async function openSaeLens(files: DictionaryFiles): Promise<StoredDictionary[]> {
  const names = await files.names();
  const folders = names.filter((name) => splitName(name).base === WEIGHTS).map((name) => splitName(name).folder);
  const found: StoredDictionary[] = [];
  for (const folder of folders.sort()) found.push(await openOne(files, folder));
  return found;
}

async function openOne(files: DictionaryFiles, folder: string): Promise<StoredDictionary> {
  const file = inFolder(folder, WEIGHTS);
  const cfg = readSaeLensConfig(await files.text(inFolder(folder, 'cfg.json'), MOST_CONFIG_BYTES));
  const { inputWidth: I, outputWidth: O, features: F } = cfg;
  const tensors = new TensorReader(await files.tensors(file), saeLensFields);
  const skip = cfg.architecture === 'skip_transcoder';
  tensors.expect('W_enc', [I, F]);
  tensors.expect('b_enc', [F]);
  tensors.expect('W_dec', [F, O]);
  tensors.expect('b_dec', [O]);
  if (cfg.activation.kind === 'jump-relu') tensors.expect('threshold', [F]);
  if (skip) tensors.expect('W_skip', [O, I]);
  tensors.refuseOthers();
  if (cfg.subtractsDecoderBias && I !== O)
    throw saeLensFields.refuse('apply_b_dec_to_input', true, `false where b_dec has ${O} numbers and the input ${I}`);

  const { layer, input, reads, writes } = cfg;
  const config = checkConfig({
    layer,
    input,
    inputWidth: I,
    outputWidth: O,
    features: F,
    activation: activationOf(cfg),
    skip,
  });
  const notes = [
    ...(cfg.activation.kind === 'jump-relu' && cfg.bandwidth === undefined
      ? [`The file has no bandwidth; ${USUAL_BANDWIDTH} is taken, which only further training reads.`]
      : []),
    ...(cfg.subtractsDecoderBias ? ['b_dec, which its encoder subtracts from the input, is folded into b_enc.'] : []),
    ...(cfg.rescales
      ? ["The decoder's norms, by which pre-activations are multiplied, are folded into the weights."]
      : []),
  ];
  const provenance = {
    format: 'saelens' as const,
    file,
    reads,
    writes,
    ...(cfg.model === undefined ? {} : { model: cfg.model }),
    expects: { ...cfg.expects, preBias: cfg.subtractsDecoderBias ? ('subtracted' as const) : ('none' as const) },
    notes,
  };
  return { config, provenance, read: async () => ({ config, provenance, ...(await readWeights(tensors, cfg, skip)) }) };
}

const activationOf = ({ activation, bandwidth = USUAL_BANDWIDTH }: SaeLensConfig): DictionaryActivation =>
  activation.kind === 'jump-relu' ? { kind: 'jump-relu', bandwidth } : (activation as DictionaryActivation);

async function readWeights(
  tensors: TensorReader,
  cfg: SaeLensConfig,
  skip: boolean,
): Promise<Pick<LoadedDictionary, 'weights' | 'preBias'>> {
  const { inputWidth: I, outputWidth: O, features: F } = cfg;
  const wEnc = transposed(await tensors.read('W_enc', [I, F]), I, F);
  const bDec = await tensors.read('b_dec', [O]);
  let bEnc = await tensors.read('b_enc', [F]);
  const wDec = await tensors.read('W_dec', [F, O]);
  if (cfg.subtractsDecoderBias) bEnc = foldPreBias(wEnc, bEnc, bDec);
  if (cfg.rescales) foldDecoderNorms(wEnc, bEnc, wDec, F);
  const weights: DictionaryWeights = {
    wEnc,
    bEnc,
    wDec,
    bDec,
    ...(cfg.activation.kind === 'jump-relu'
      ? {
          logThreshold: logThresholds(
            checkedThresholds(saeLensFields, 'threshold', await tensors.read('threshold', [F])),
          ),
        }
      : {}),
    ...(skip ? { wSkip: transposed(await tensors.read('W_skip', [O, I]), O, I) } : {}),
  };
  return { weights, ...(I === O ? { preBias: { values: bDec, folded: cfg.subtractsDecoderBias } } : {}) };
}

/** h·‖d‖ before the choice and a/‖d‖ after it: rows of the encoder times, rows of the decoder by their norm; in place. */
function foldDecoderNorms(wEnc: Float32Array, bEnc: Float32Array, wDec: Float32Array, F: number): void {
  const [I, O] = [wEnc.length / F, wDec.length / F];
  for (let f = 0; f < F; f++) {
    const row = wDec.subarray(f * O, (f + 1) * O);
    let squares = 0;
    for (const d of row) squares += d * d;
    const norm = Math.sqrt(squares);
    if (norm === 0) throw saeLensFields.refuse(`W_dec[${f}]`, 'a row of zeros', 'another row: its norm is divided by');
    for (let o = 0; o < O; o++) row[o] = (row[o] as number) / norm;
    for (let i = f * I; i < (f + 1) * I; i++) wEnc[i] = (wEnc[i] as number) * norm;
    bEnc[f] = (bEnc[f] as number) * norm;
  }
}

/** What a folder of SAELens is given besides the dictionary. */
export interface SaeLensExport {
  /** The model as transformers names it: 'gpt2'. */
  readonly model: string;
  /** Whether texts of its training began with a token of their own. */
  readonly bos: boolean;
  /** Tokens of a text. */
  readonly contextSize?: number;
}

/**
 * The files of one folder. A pre-bias was folded at load and is not taken out again; BatchTopK goes out as JumpReLU with the threshold
 * that it learnt. `openSaeLens` gives the numbers back to the bit, thresholds as `logThresholds` says.
 * @throws LimnError `usage/dictionary-export` for what SAELens has no architecture for
 */
export function writeSaeLens(
  { config, weights }: Pick<LoadedDictionary, 'config' | 'weights'>,
  { model, bos, contextSize }: SaeLensExport,
): DictionaryFile[] {
  const { layer, input, inputWidth: I, outputWidth: O, features: F, activation } = config;
  const transcoder = input !== 'hook_mlp_out';
  const architecture = architectureOf(config);
  const cfg = {
    architecture,
    d_in: I,
    d_sae: F,
    ...(transcoder ? { d_out: O } : {}),
    dtype: 'float32',
    device: 'cpu',
    apply_b_dec_to_input: false,
    normalize_activations: 'none',
    reshape_activations: 'none',
    ...(activation.kind === 'top-k' ? { k: activation.k, rescale_acts_by_decoder_norm: false } : {}),
    metadata: {
      model_name: model,
      hook_name: blockHook(layer, input),
      ...(transcoder ? { hook_name_out: blockHook(layer, 'hook_mlp_out') } : {}),
      hook_head_index: null,
      prepend_bos: bos,
      ...(contextSize === undefined ? {} : { context_size: contextSize }),
      model_from_pretrained_kwargs: {},
    },
  };
  const tensors = new Map([
    ['W_enc', { shape: [I, F], data: transposed(weights.wEnc, F, I) }],
    ['b_enc', { shape: [F], data: weights.bEnc }],
    ['W_dec', { shape: [F, O], data: weights.wDec }],
    ['b_dec', { shape: [O], data: weights.bDec }],
    ...(weights.logThreshold ? ([['threshold', { shape: [F], data: thresholds(weights.logThreshold) }]] as const) : []),
    ...(weights.wSkip ? ([['W_skip', { shape: [O, I], data: transposed(weights.wSkip, I, O) }]] as const) : []),
  ]);
  return [
    { name: 'cfg.json', text: `${JSON.stringify(cfg, undefined, 2)}\n` },
    { name: WEIGHTS, tensors, metadata: {} },
  ];
}

function architectureOf({ input, activation: { kind }, skip }: DictionaryConfig): SaeLensConfig['architecture'] {
  const transcoder = input !== 'hook_mlp_out';
  const threshold = kind === 'jump-relu' || kind === 'batch-top-k';
  if (!transcoder) return threshold ? 'jumprelu' : kind === 'top-k' ? 'topk' : 'standard';
  if (kind === 'relu') return skip ? 'skip_transcoder' : 'transcoder';
  if (threshold && !skip) return 'jumprelu_transcoder';
  throw cannotExport(
    'SAELens',
    `a ${kind} transcoder${skip ? ' with a skip connection' : ''}`,
    'ReLU transcoders, with or without a skip connection, JumpReLU and BatchTopK transcoders without one, and SAEs',
  );
}
