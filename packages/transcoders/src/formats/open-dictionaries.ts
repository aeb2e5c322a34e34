// Opens a folder of dictionaries of whichever format its files say.
import { LimnError, shownValue } from '@limn/gpu';
import { MOST_YAML_BYTES, readCircuitTracerConfig } from './circuit-tracer-config.js';
import { openCircuitTracerSet, type CircuitTracerOptions } from './circuit-tracer-set.js';
import { openCrossLayerSet, type StoredCrossLayer } from './cross-layer-set.js';
import { MOST_CONFIG_BYTES, splitName, type DictionaryFiles } from './dictionary-files.js';
import { DICTIONARY_SET_FORMAT, openDictionarySet } from './limn-set.js';
import { openPaperFiles } from './paper-pt.js';
import { openSaeLens } from './saelens.js';
import { openSparsify } from './sparsify.js';
import type { StoredDictionary } from './stored-dictionary.js';

/**
 * The dictionaries of a folder. Which format it is, its files say: a config.json of limn, a config.yaml of circuit-tracer,
 * sae_weights.safetensors of SAELens, sae.safetensors of sparsify, `.pt` of the paper.
 * @throws LimnError `data/dictionary-unknown` for none of them, or more than one, and for a cross-layer transcoder (`openCrossLayer`
 * reads it); `data/dictionary-set`, `data/dictionary-saelens`, `data/dictionary-circuit-tracer`, `data/dictionary-sparsify`,
 * `data/dictionary-pt`, `data/torch-…`; `usage/dictionary-config`; what the source of the files throws
 */
export async function openDictionaries(
  files: DictionaryFiles,
  options: CircuitTracerOptions = {},
): Promise<readonly StoredDictionary[]> {
  const names = await files.names();
  const bases = new Set(names.map((name) => splitName(name).base));
  const found = [
    ...((await isOwn(files, names)) ? [{ of: 'limn', open: () => openOwn(files) }] : []),
    ...(names.includes('config.yaml') ? [{ of: 'circuit-tracer', open: () => openSet(files, options) }] : []),
    ...(bases.has('sae_weights.safetensors') ? [{ of: 'SAELens', open: () => openSaeLens(files) }] : []),
    ...(bases.has('sae.safetensors') ? [{ of: 'sparsify', open: () => openSparsify(files) }] : []),
    ...(names.some((name) => name.endsWith('.pt')) && !bases.has('sae.safetensors')
      ? [{ of: 'the paper', open: () => openPaperFiles(files) }]
      : []),
  ];
  const [only, ...more] = found;
  if (only && more.length === 0) return only.open();
  throw new LimnError(
    'data/dictionary-unknown',
    only
      ? `${files.label} holds dictionaries of more than one format: ${found.map(({ of }) => of).join(', ')}.`
      : `${files.label} holds no dictionaries that limn knows.`,
    {
      details: { label: files.label, found: found.map(({ of }) => of), files: names.slice(0, 20).map(shownValue) },
      hint: 'Give the folder of one set: limn, SAELens, circuit-tracer, sparsify, or the .pt files of arXiv 2406.11944.',
    },
  );
}

/** sparsify's folders have a config.json, too. */
async function isOwn(files: DictionaryFiles, names: readonly string[]): Promise<boolean> {
  if (!names.includes('config.json')) return false;
  const text = await files.text('config.json', MOST_CONFIG_BYTES);
  return text.includes(`"${DICTIONARY_SET_FORMAT.split('/')[0]}/`);
}

/**
 * The cross-layer transcoder of a folder of limn or of circuit-tracer; undefined where the folder holds none.
 * @throws LimnError `data/dictionary-set`, `data/dictionary-circuit-tracer`, `usage/dictionary-config`; what the source of the files throws
 */
export async function openCrossLayer(files: DictionaryFiles): Promise<StoredCrossLayer | undefined> {
  const names = await files.names();
  if (await isOwn(files, names)) return (await openDictionarySet(files)).crossLayer;
  if (!names.includes('config.yaml')) return undefined;
  const { kind } = readCircuitTracerConfig(await files.text('config.yaml', MOST_YAML_BYTES));
  return kind === 'cross_layer_transcoder' ? openCrossLayerSet(files) : undefined;
}

async function openOwn(files: DictionaryFiles): Promise<readonly StoredDictionary[]> {
  const { dictionaries, crossLayer } = await openDictionarySet(files);
  if (crossLayer) throw notOfOneLayer(files);
  return dictionaries;
}

async function openSet(files: DictionaryFiles, options: CircuitTracerOptions): Promise<StoredDictionary[]> {
  const { kind } = readCircuitTracerConfig(await files.text('config.yaml', MOST_YAML_BYTES));
  if (kind === 'transcoder_set') return openCircuitTracerSet(files, options);
  throw notOfOneLayer(files);
}

const notOfOneLayer = ({ label }: DictionaryFiles): LimnError =>
  new LimnError('data/dictionary-unknown', `${label} holds a cross-layer transcoder, not one for each layer.`, {
    details: { label, found: ['cross-layer'] },
    hint: 'Open it with openCrossLayer.',
  });
