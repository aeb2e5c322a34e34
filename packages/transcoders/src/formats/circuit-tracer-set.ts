// circuit-tracer's sets of per-layer transcoders: config.yaml and layer_{i}.safetensors with W_enc [F, d], W_dec [F, d] (once [d, F]), x·W_skipᵀ.
import { checkConfig, type DictionaryActivation } from '../dictionary-config.js';
import type { DictionaryWeights } from '../dictionary.js';
import { cannotExport } from './cannot-export.js';
import {
  CIRCUIT_TRACER_EXPECTS,
  circuitTracerConfigText,
  circuitTracerFields,
  MOST_YAML_BYTES,
  readCircuitTracerConfig,
  type CircuitTracerConfig,
} from './circuit-tracer-config.js';
import { splitName, type DictionaryFile, type DictionaryFiles } from './dictionary-files.js';
import { transposed } from './orientation.js';
import { TensorReader } from './read-tensors.js';
import type { DictionaryProvenance, LoadedDictionary, StoredDictionary } from './stored-dictionary.js';
import { checkedThresholds, logThresholds, thresholds } from './thresholds.js';

const THRESHOLD = 'activation_function.threshold';
/** ε that circuit-tracer gives its own JumpReLU; only further training reads it. */
const USUAL_BANDWIDTH = 0.1;

/** What a folder does not say of itself. */
export interface CircuitTracerOptions {
  /** W_dec lies as [d, F], as the first versions wrote it; told by its shape unless F = d. */
  readonly transposedDecoder?: boolean;
}

/**
 * The transcoders of a set, by layer.
 * @throws LimnError `data/dictionary-circuit-tracer`; `usage/dictionary-config`; what the source of the files throws
 */
export async function openCircuitTracerSet(
  files: DictionaryFiles,
  options: CircuitTracerOptions = {},
): Promise<StoredDictionary[]> {
  const config = readCircuitTracerConfig(await files.text('config.yaml', MOST_YAML_BYTES));
  circuitTracerFields.oneOf(config.kind, 'model_kind', ['transcoder_set']);
  const layers = layerFiles(config, await files.names());
  const found: StoredDictionary[] = [];
  for (const [layer, file] of layers) found.push(await openLayer(files, config, layer, file, options));
  return found;
}

/** The file of each layer: as the config lists them, or by their names. */
function layerFiles(config: CircuitTracerConfig, names: readonly string[]): [layer: number, file: string][] {
  const fields = circuitTracerFields;
  const listed = config.transcoders;
  if (listed)
    return listed.map((address, layer) => {
      // hf://org/repo/folder/file?revision=…: the file as it lies in the repository, or beside the config.
      const [path = ''] = address.replace(/^hf:\/\/[^/]+\/[^/]+\//, '').split('?');
      const file = [path, splitName(path).base].find((name) => names.includes(name));
      if (file === undefined)
        throw fields.refuse(`transcoders[${layer}]`, address, 'a file of the folder: download it there');
      return [layer, file];
    });
  const found = names
    .map((name) => [/^layer_(0|[1-9]\d{0,4})\.safetensors$/.exec(name)?.[1], name] as const)
    .filter(([layer]) => layer !== undefined)
    .map(([layer, name]): [number, string] => [Number(layer), name])
    .sort(([a], [b]) => a - b);
  if (found.length === 0)
    throw fields.refuse('its files', names, 'layer_0.safetensors and so on, or a list under transcoders');
  return found;
}

async function openLayer(
  files: DictionaryFiles,
  { input, reads, writes, model, activation, k }: CircuitTracerConfig,
  layer: number,
  file: string,
  { transposedDecoder }: CircuitTracerOptions,
): Promise<StoredDictionary> {
  const tensors = new TensorReader(await files.tensors(file), circuitTracerFields);
  const [F, d] = tensors.shape('W_enc', 2) as [number, number];
  const decoder = tensors.shape('W_dec', 2);
  const flipped = F === d ? (transposedDecoder ?? false) : decoder[0] === d;
  tensors.expect('W_dec', flipped ? [d, F] : [F, d]);
  tensors.expect('b_enc', [F]);
  tensors.expect('b_dec', [d]);
  const jump = tensors.has(THRESHOLD);
  const skip = tensors.has('W_skip');
  if (jump) tensors.expect(THRESHOLD, [F]);
  if (skip) tensors.expect('W_skip', [d, d]);
  // A k in the tensors repeats the config's.
  tensors.refuseOthers(['k']);
  const phi = activationOf(jump, activation, k);
  const config = checkConfig({ layer, input, inputWidth: d, outputWidth: d, features: F, activation: phi, skip });
  const provenance: DictionaryProvenance = {
    format: 'circuit-tracer',
    file,
    reads,
    writes,
    ...(model === undefined ? {} : { model }),
    expects: CIRCUIT_TRACER_EXPECTS,
    notes: [
      ...(flipped ? ['W_dec lay as [d, F] and was transposed.'] : []),
      ...(F === d && transposedDecoder === undefined ? ['F = d: that W_dec lies as [F, d] is taken for granted.'] : []),
      ...(phi.kind === 'top-k'
        ? ['circuit-tracer also lets negative pre-activations among the k largest pass; limn does not.']
        : []),
      ...(jump ? [`The file has no bandwidth; ${USUAL_BANDWIDTH} is taken, which only further training reads.`] : []),
    ],
  };
  return {
    config,
    provenance,
    read: async () => ({ config, provenance, weights: await readWeights(tensors, F, d, { flipped, jump, skip }) }),
  };
}

function activationOf(
  jump: boolean,
  named: CircuitTracerConfig['activation'],
  k: number | undefined,
): DictionaryActivation {
  if (named === 'topk') return { kind: 'top-k', k: circuitTracerFields.whole(k, 'k', 1, Number.MAX_SAFE_INTEGER) };
  return jump && named === undefined ? { kind: 'jump-relu', bandwidth: USUAL_BANDWIDTH } : { kind: 'relu' };
}

async function readWeights(
  tensors: TensorReader,
  F: number,
  d: number,
  { flipped, jump, skip }: { readonly flipped: boolean; readonly jump: boolean; readonly skip: boolean },
): Promise<DictionaryWeights> {
  const wDec = await tensors.read('W_dec', flipped ? [d, F] : [F, d]);
  return {
    wEnc: await tensors.read('W_enc', [F, d]),
    bEnc: await tensors.read('b_enc', [F]),
    wDec: flipped ? transposed(wDec, d, F) : wDec,
    bDec: await tensors.read('b_dec', [d]),
    ...(jump
      ? {
          logThreshold: logThresholds(
            checkedThresholds(circuitTracerFields, THRESHOLD, await tensors.read(THRESHOLD, [F])),
          ),
        }
      : {}),
    ...(skip ? { wSkip: transposed(await tensors.read('W_skip', [d, d]), d, d) } : {}),
  };
}

/** What a set is given besides its transcoders. */
export interface CircuitTracerExport {
  /** The model as transformers names it: 'gpt2'. */
  readonly model: string;
  /** The name under which feature pages will be found. */
  readonly scan: string;
}

/**
 * The files of a set, one after the other: numbers are asked for when their file's turn comes. circuit-tracer wants a transcoder for every
 * layer from 0 on, all of one width and of one activation; BatchTopK goes out as JumpReLU.
 * @throws LimnError `usage/dictionary-export`
 */
export async function* writeCircuitTracerSet(
  dictionaries: readonly StoredDictionary[] | readonly LoadedDictionary[],
  { model, scan }: CircuitTracerExport,
): AsyncGenerator<DictionaryFile> {
  const sorted = [...dictionaries].sort((a, b) => a.config.layer - b.config.layer);
  const first = sorted[0]?.config;
  if (!first) throw cannotExport('circuit-tracer', 'a set of no transcoders', 'one for every layer');
  const refuse = (what: string): Error =>
    cannotExport(
      'circuit-tracer',
      what,
      'a transcoder for every layer from 0 on, all with one site, width, activation and kind of skip connection',
    );
  sorted.forEach(({ config }, i) => {
    if (config.layer !== i) throw refuse(`a set whose place ${i} is layer ${config.layer}`);
    if (config.input === 'hook_mlp_out') throw refuse('an SAE');
    if (config.inputWidth !== config.outputWidth) throw refuse(`${config.inputWidth} numbers to ${config.outputWidth}`);
    const alike = (['input', 'features', 'inputWidth', 'skip'] as const).every((key) => config[key] === first[key]);
    if (!alike || JSON.stringify(config.activation) !== JSON.stringify(first.activation))
      throw refuse(`a set in which layer ${i} differs from layer 0`);
  });
  const { activation } = first;
  yield {
    name: 'config.yaml',
    text: circuitTracerConfigText({
      model_name: model,
      model_kind: 'transcoder_set',
      feature_input_hook: first.input,
      feature_output_hook: 'hook_mlp_out',
      scan,
      ...(activation.kind === 'relu' ? { activation: 'relu' } : {}),
      ...(activation.kind === 'top-k' ? { activation: 'topk', k: activation.k } : {}),
    }),
  };
  for (const dictionary of sorted) {
    const { config, weights } = 'weights' in dictionary ? dictionary : await dictionary.read();
    const { features: F, inputWidth: d } = config;
    const tensors = new Map([
      ['W_enc', { shape: [F, d], data: weights.wEnc }],
      ['W_dec', { shape: [F, d], data: weights.wDec }],
      ['b_enc', { shape: [F], data: weights.bEnc }],
      ['b_dec', { shape: [d], data: weights.bDec }],
      ...(weights.logThreshold ? ([[THRESHOLD, { shape: [F], data: thresholds(weights.logThreshold) }]] as const) : []),
      ...(weights.wSkip ? ([['W_skip', { shape: [d, d], data: transposed(weights.wSkip, d, d) }]] as const) : []),
    ]);
    yield { name: `layer_${config.layer}.safetensors`, tensors, metadata: {} };
  }
}
