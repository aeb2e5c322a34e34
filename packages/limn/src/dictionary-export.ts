// Folders of dictionaries in every format that limn reads: which reader and which writer, and what each takes for granted.
import { LimnError } from '@limn/gpu';
import {
  centredOutput,
  openCircuitTracerSet,
  openDictionaries,
  openDictionarySet,
  openPaperFiles,
  openSaeLens,
  openSparsify,
  readWithoutGain,
  writeCircuitTracerSet,
  writePaperFile,
  writeSaeLens,
  writeSparsify,
  type DictionaryConvention,
  type DictionaryFile,
  type DictionaryFiles,
  type Gain,
  type LoadedDictionary,
  type StoredDictionary,
} from '@limn/transcoders';

/** Formats by the words of the command; `pt` is that of arXiv 2406.11944. */
export const FOLDER_FORMATS = ['limn', 'saelens', 'circuit-tracer', 'sparsify', 'pt'] as const;
export type FolderFormat = (typeof FOLDER_FORMATS)[number];

/**
 * The dictionaries of a folder, of the format that is given or that its files say.
 * @throws LimnError as `openDictionaries`; `data/dictionary-unknown` for a folder without any of the format
 */
export async function openFormat(
  files: DictionaryFiles,
  format: FolderFormat | undefined,
): Promise<readonly StoredDictionary[]> {
  if (format === undefined) return openDictionaries(files);
  const open: Readonly<Record<FolderFormat, () => Promise<readonly StoredDictionary[]>>> = {
    limn: async () => (await openDictionarySet(files)).dictionaries,
    saelens: () => openSaeLens(files),
    'circuit-tracer': () => openCircuitTracerSet(files),
    sparsify: () => openSparsify(files),
    pt: () => openPaperFiles(files),
  };
  const found = await open[format]();
  if (found.length > 0) return found;
  throw new LimnError('data/dictionary-unknown', `${files.label} holds no dictionaries in the format ${format}`, {
    details: { label: files.label, format },
    hint: '`limn transcode convert` without --from says which format the files are in',
  });
}

/** What a format's files are taken to mean where nothing in them says otherwise. */
export const meantBy = (format: FolderFormat): Pick<DictionaryConvention, 'gain' | 'output'> =>
  format === 'pt' ? { gain: 'folded', output: 'centred' } : { gain: 'kept', output: 'plain' };

/** A dictionary to be written, for a model as it is published. */
export interface ExportedDictionary {
  /** Read when its file's turn comes. */
  read(): Promise<LoadedDictionary>;
  readonly stored: StoredDictionary;
  /** Texts of its training began with a token of their own. */
  readonly bos: boolean;
  /** Of the LayerNorm before its MLP; `pt` needs it, unless the dictionary reads x̂ already. */
  readonly gain?: Gain;
}

/**
 * The files of another tool's format; limn's own is written by `writeDictionarySet`. Dictionaries of SAELens are one folder each.
 * @throws LimnError `usage/dictionary-export` for what the format has no words for
 */
export async function* exportFiles(
  format: Exclude<FolderFormat, 'limn'>,
  dictionaries: readonly ExportedDictionary[],
  { model, scan }: { readonly model: string; readonly scan: string },
): AsyncGenerator<DictionaryFile> {
  if (format === 'circuit-tracer') {
    yield* writeCircuitTracerSet(
      dictionaries.map(({ stored, read }) => ({ ...stored, read })),
      { model, scan },
    );
    return;
  }
  for (const { read, bos, gain } of dictionaries) {
    const loaded = await read();
    const { config, weights } = loaded;
    if (format === 'sparsify') yield* writeSparsify(loaded);
    else if (format === 'pt') {
      const through = gain && config.input === 'ln2.hook_normalized' ? readWithoutGain(config, weights, gain) : weights;
      const training = { seed: null };
      yield writePaperFile({ config, weights: centredOutput(config, through) }, { model, training });
    } else {
      const folder = dictionaries.length === 1 ? '' : `blocks.${config.layer}.${config.input}/`;
      for (const file of writeSaeLens(loaded, { model, bos })) yield { ...file, name: `${folder}${file.name}` };
    }
  }
}

/** The refusal of a conversion that only the model decides: `usage/dictionary-convert`. */
export function needsModel(why: string, what: string): LimnError {
  return new LimnError('usage/dictionary-convert', `--model is needed: ${why}`, { hint: `add --model with ${what}` });
}

/** What other tools call the model, and a set of its features. */
export function exportNames(
  stored: readonly Pick<StoredDictionary, 'provenance'>[],
  given: string | undefined,
  modelName: string | undefined,
): { readonly model: string; readonly scan: string } {
  // What limn's own sets say of their model is a digest of its weights.
  const told = stored.find(({ provenance: { format, model } }) => format !== 'limn' && model !== undefined);
  const model = given ?? told?.provenance.model ?? modelName;
  if (model !== undefined) return { model, scan: `${model.replaceAll(/[^A-Za-z0-9._-]+/g, '-')}-limn` };
  throw new LimnError('usage/dictionary-convert', 'nothing says what other tools call the model', {
    hint: 'add --name, for example --name gpt2',
  });
}
