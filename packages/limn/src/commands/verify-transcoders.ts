// `limn verify gpt2-transcoders`: opens GPT-2 small and the published transcoders of its MLPs, one of each layer, and measures what was printed of them.
import { conformed, Dictionary, type StoredDictionary } from '@limn/transcoders';
import type { CommandContext } from '../context.js';
import { gainOf } from '../convention-rows.js';
import { openDevice } from '../device.js';
import { openFormat } from '../dictionary-export.js';
import { openDictionaryFolder } from '../dictionary-files.js';
import { openGivenModel } from '../given-model.js';
import type { OpenModel } from '../model-source.js';
import { notVerified, orNotVerified } from '../not-verified.js';
import { NOT_CHECKED, verifyTranscoders, WEIGHTS_PLACE } from '../published-transcoders.js';
import type { VerifiedFigure } from '../verified-figure.js';

/** Of GPT-2 small, and of the published transcoders. */
const SIZES = { layers: 12, width: 768, vocabulary: 50_257, features: 24_576 } as const;

/** What was measured, for the command's result. */
export interface VerifiedTranscoders {
  readonly figures: readonly VerifiedFigure[];
  readonly result: Readonly<Record<string, unknown>>;
}

/** @throws LimnError `data/not-verified`; want of memory, and AbortedError */
export async function verifyGpt2Transcoders(
  { model: name, transcoders }: { readonly model?: string; readonly transcoders?: string },
  context: CommandContext,
): Promise<VerifiedTranscoders> {
  const { signal, console } = context;
  if (name === undefined) throw notVerified('no weights were given', '--model DIR with the weights of GPT-2 small');
  if (transcoders === undefined)
    throw notVerified('no transcoders were given', `--transcoders DIR with the .pt files of ${WEIGHTS_PLACE}`);
  const stored = await orNotVerified(openFolder(transcoders));
  using device = await openDevice(context);
  using model = await orNotVerified(openGivenModel(device.gpu, name, {}, context));
  expectGpt2Small(model);
  const { hooked, tokenizer } = model;
  const { bosId } = hooked.info;
  if (tokenizer === undefined || bosId === undefined)
    throw notVerified(`${model.name} has no tokenizer with a BOS`, 'add vocab.json and merges.txt, or tokenizer.json');
  const dictionaries: Dictionary[] = [];
  const encoderBiases: Float32Array[] = [];
  try {
    for (const [layer, each] of stored.entries()) {
      console.progress({ phase: 'transcoders', done: layer, total: stored.length, unit: 'layers' });
      signal.throwIfAborted();
      const loaded = await orNotVerified(each.read());
      encoderBiases.push(loaded.weights.bEnc);
      const weights = conformed(
        loaded,
        { gain: 'folded', output: 'centred', preBias: 'subtracted' },
        await gainOf(hooked, layer),
      );
      dictionaries.push(Dictionary.create(device.gpu, each.config, weights));
    }
    const encode = (text: string): readonly number[] => tokenizer.encode(text, { prependBos: false }).ids;
    const request = { model: hooked, encode, bosId, encoderBiases, dictionaries, signal, onProgress: console.progress };
    return {
      figures: await verifyTranscoders(request),
      result: {
        model: model.name,
        weightsSha256: hooked.info.fingerprint,
        transcoders,
        notChecked: NOT_CHECKED,
      },
    };
  } finally {
    for (const dictionary of dictionaries) dictionary.dispose();
  }
}

/** One transcoder of each layer, by layer. */
async function openFolder(folder: string): Promise<readonly StoredDictionary[]> {
  const stored = await openFormat(await openDictionaryFolder(folder), 'pt');
  const { layers, width, features } = SIZES;
  const wrong = Array.from({ length: layers }, (_, layer) => layer).find((layer) => {
    const config = stored[layer]?.config;
    return (
      config?.layer !== layer ||
      config.input !== 'ln2.hook_normalized' ||
      config.inputWidth !== width ||
      config.features !== features
    );
  });
  if (wrong === undefined && stored.length === layers) return stored;
  throw notVerified(
    `${folder} has not one transcoder of ${features} features for each of ${layers} layers of width ${width}`,
    `give the twelve files final_sparse_autoencoder_gpt2-small_blocks.*.pt of ${WEIGHTS_PLACE}`,
  );
}

function expectGpt2Small({ hooked: { info }, name }: OpenModel): void {
  const { layers, width, vocabulary } = SIZES;
  if (info.layers === layers && info.width === width && info.vocabulary === vocabulary) return;
  throw notVerified(
    `${name} is not GPT-2 small: ${info.layers} layers of width ${info.width} and ${info.vocabulary} tokens`,
    'the published figures are of GPT-2 small',
  );
}
