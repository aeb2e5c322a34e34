// The folder of a DIT adapter: a PEFT folder that any tool reads, and dit.json, without which it is none.
import { expectBase, readPeft, writePeft, type LoraWeights } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { adapterFolder } from './bundled-folders.js';
import { openDictionaryFolder, saveDictionaryFiles } from './dictionary-files.js';
import { MOST_RECORD_BYTES, parseDitAdapter, type AskedQuestion, type DitAdapterFile } from './dit-adapter-record.js';
import { promptOfText } from './dit-question.js';
import type { OpenModel } from './model-source.js';

/** The file beside the weights. */
export const DIT_FILE = 'dit.json';

/** An adapter that was opened for a model. */
export interface OpenDitAdapter {
  /** As it was given. */
  readonly folder: string;
  readonly lora: LoraWeights;
  readonly record: DitAdapterFile;
}

/**
 * Opens an adapter of this model: same weights, same processing. `pocket-chat` is the one that comes with it.
 * @throws LimnError `data/dit-adapter` for a folder that is none; `data/lora-base`, `data/lora-processed` for an adapter of other weights; `files/…`, and what `readPeft` throws
 */
export async function openDitAdapter({ hooked, name }: OpenModel, folder: string): Promise<OpenDitAdapter> {
  const files = await openDictionaryFolder(adapterFolder(folder));
  if (!(await files.names()).includes(DIT_FILE))
    throw new LimnError('data/dit-adapter', `${folder} has no ${DIT_FILE}`, {
      details: { folder },
      hint: 'give a folder that `limn dit train` finished: the file comes last',
    });
  const record = parseDitAdapter(await files.text(DIT_FILE, MOST_RECORD_BYTES), folder);
  expectBase(hooked, record.base.fingerprint, {});
  if (record.base.processing !== hooked.info.processing)
    throw new LimnError(
      'data/lora-processed',
      `${folder} was trained on weights processed so: ${record.base.processing}; those of ${name}: ${hooked.info.processing}`,
      {
        details: { adapter: record.base.processing, model: hooked.info.processing },
        hint: 'open the model as it was then',
      },
    );
  const odd = [
    ...record.ends,
    ...record.questions.flatMap(({ prompt, candidates }) => [...prompt, ...candidates.map(({ id }) => id)]),
  ].find((id) => id >= hooked.info.vocabulary);
  if (odd !== undefined)
    throw new LimnError(
      'data/dit-adapter',
      `${DIT_FILE} of ${folder} has token ${odd}, which the model does not have`,
      {
        details: { folder, id: odd },
      },
    );
  const { lora } = await readPeft(hooked, files);
  return { folder, lora, record };
}

/** Writes the adapter into a folder that is taken; dit.json is the caller's, and comes last. */
export async function saveDitAdapter(folder: string, { hooked, name }: OpenModel, lora: LoraWeights): Promise<void> {
  await saveDictionaryFiles(folder, writePeft(hooked, lora, { baseName: name }));
}

/**
 * The questions that options name: those of the adapter by name, others in the words given, which have neither candidates nor a calibration. Without any,
 * `changed` where the adapter was trained on it, else the first.
 * @throws LimnError as `promptOfText`
 */
export function askedQuestions(
  { record }: OpenDitAdapter,
  given: readonly string[],
  model: OpenModel,
  template: string = record.template,
): AskedQuestion[] {
  const { questions } = record;
  if (given.length === 0) return [questions.find(({ name }) => name === 'changed') ?? (questions[0] as AskedQuestion)];
  return [...new Set(given)].map((words) => {
    const known = questions.find(({ name, text }) => name === words || text === words);
    if (known) return known;
    const prompt = promptOfText(words, { template }, model);
    const baseRates = { labels: 0, examples: 0, most: [] };
    return { name: words, text: words, prompt, none: null, candidates: [], calibration: null, baseRates };
  });
}
