// What dictionaries are trained and measured on: pocket's corpus, or a text of one's own with a part of it held out.
import { ablationSequences, pocketCorpus } from '@limn/pocket';
import { drawInPasses } from '@limn/hooks';
import { LimnError } from '@limn/gpu';
import { tokenLabels, type LabelledSequence, type TokenSource } from '@limn/transcoders';
import { splitHeldOut, type HeldOutSplit } from './held-out.js';
import type { OpenModel } from './model-source.js';
import { speaksPocket } from './task-source.js';
import { tokenWindows } from './token-windows.js';

/** Which data. */
export interface DataRequest {
  /** A file; default: pocket's corpus, for models of its vocabulary. */
  readonly text?: string | undefined;
  /** Other text to hold it against; default: pocket's corpus beside a text, where the model speaks it. */
  readonly general?: string | undefined;
  /** Most tokens of a sequence. */
  readonly context: number;
  /** Sequences that are measured on. */
  readonly sequences: number;
}

/** Sequences with a name. */
export interface NamedSequences {
  readonly name: string;
  readonly sha256?: string;
  readonly sequences: readonly ArrayLike<number>[];
}

/** What training reads. */
export interface TrainingData extends Omit<NamedSequences, 'sequences'> {
  readonly source: TokenSource;
  /** Sequences of a batch of the source, their mean number of tokens, and the most. */
  readonly perBatch: number;
  readonly meanLength: number;
  readonly mostLength: number;
  /** Nothing of it is trained on. */
  readonly heldOut: NamedSequences;
  readonly general?: NamedSequences;
}

/** A stream of pocket's corpus that pocket itself was not trained on. */
const POCKET_STREAM = 2_000_003;
/** One of which every token's meaning is asked for. */
const LABELLED_STREAM = 3_000_017;
/** Part of a text that is measured on. */
const HELD_OUT = 0.1;
const PER_BATCH = 32;

/** Most tokens of a sequence, unless the command says otherwise: those of arXiv 2406.11944, or as many as the model takes. */
export const defaultContext = ({ hooked }: OpenModel): number => Math.min(128, hooked.info.maxPositions);

/**
 * The training data of a request; the order in which a text is read depends on `seed`.
 * @throws LimnError `usage/dictionary-data` for a model without a corpus of its own; `usage/dictionary-context`; `data/text` for a text
 * of which nothing can be held out; as `tokenWindows`
 */
export async function trainingData(model: OpenModel, request: DataRequest, seed: number): Promise<TrainingData> {
  const { text, context, sequences: most } = request;
  expectContext(model, context);
  const general = await generalData(model, request);
  if (text === undefined) {
    expectPocket(model);
    const corpus = pocketCorpus(POCKET_STREAM);
    const { sequences, length } = corpus.options;
    return {
      name: `pocket's corpus, stream ${POCKET_STREAM}`,
      source: (batch) => {
        const tokens = corpus.batch(batch);
        return Array.from({ length: sequences }, (_, row) => tokens.subarray(row * length, (row + 1) * length));
      },
      perBatch: sequences,
      meanLength: length,
      mostLength: length,
      heldOut: pocketSequences(most),
      ...(general ? { general } : {}),
    };
  }
  const windows = await windowsOf(model, '--text', text, context);
  const { trained, heldOut } = heldOutOf(text, windows.sequences as Uint32Array[], context);
  const { sha256 } = windows;
  return {
    name: text,
    sha256: sha256 as string,
    source: (batch) => drawInPasses(trained, batch, { perUpdate: PER_BATCH, seed }),
    perBatch: PER_BATCH,
    meanLength: trained.reduce((sum, { length }) => sum + length, 0) / trained.length,
    mostLength: Math.max(...trained.map(({ length }) => length)),
    heldOut: { name: `${text}, the part held out`, sequences: evenly(heldOut, most) },
    ...(general ? { general } : {}),
  };
}

/** @throws LimnError `data/text` for a text that has nothing to hold out */
function heldOutOf(file: string, sequences: readonly Uint32Array[], context: number): HeldOutSplit {
  try {
    return splitHeldOut(sequences, HELD_OUT, context);
  } catch (cause) {
    if (!(cause instanceof LimnError)) throw cause;
    throw new LimnError('data/text', `--text ${file}, a tenth of which is held out: ${cause.message}`, {
      details: { file, sequences: sequences.length },
      hint: `give a longer text: at least some hundred sequences of ${context} tokens`,
      cause,
    });
  }
}

/**
 * What a set is measured on: a text, or pocket's corpus; and beside a text what it is held against.
 * @throws LimnError as `trainingData`
 */
export async function evaluationData(
  model: OpenModel,
  request: DataRequest,
): Promise<{ readonly own: NamedSequences; readonly general?: NamedSequences }> {
  const { text, context, sequences: most } = request;
  expectContext(model, context);
  const general = await generalData(model, request);
  if (text === undefined) {
    expectPocket(model);
    return { own: pocketSequences(most), ...(general ? { general } : {}) };
  }
  const own = await windowsOf(model, '--text', text, context);
  return { own: { ...own, sequences: evenly(own.sequences, most) }, ...(general ? { general } : {}) };
}

async function generalData(
  model: OpenModel,
  { text, general, context, sequences }: DataRequest,
): Promise<NamedSequences | undefined> {
  if (general !== undefined) {
    const windows = await windowsOf(model, '--general', general, context);
    return { ...windows, sequences: evenly(windows.sequences, sequences) };
  }
  return text !== undefined && hasPocketCorpus(model) ? pocketSequences(sequences) : undefined;
}

async function windowsOf(model: OpenModel, option: string, file: string, length: number): Promise<NamedSequences> {
  const { hooked, tokenizer } = model;
  return { name: file, ...(await tokenWindows({ option, file, info: hooked.info, tokenizer, length })) };
}

/** The sequences that pocket's model card measures ablations on. */
const pocketSequences = (most: number): NamedSequences => ({
  name: "pocket's corpus, sequences of its model card",
  sequences: ablationSequences(most),
});

/**
 * Sequences of pocket's corpus with what it knows about every token, of a stream that nothing was trained on.
 * @throws LimnError `usage/dictionary-labels` for other models
 */
export function labelledSequences(model: OpenModel, count: number): LabelledSequence[] {
  if (!hasPocketCorpus(model))
    throw new LimnError(
      'usage/dictionary-labels',
      `--interpretability: nothing is known about the tokens of ${model.name}`,
      {
        hint: "leave it out; pocket's corpus says of every token what it stands for",
      },
    );
  const corpus = pocketCorpus(LABELLED_STREAM);
  const { sequences } = corpus.options;
  return Array.from({ length: count }, (_, i) => {
    const { tokens, tags } = corpus.sequence(Math.floor(i / sequences), i % sequences);
    return { tokens, labels: tokenLabels(tokens, tags) };
  });
}

/** At most `most` of them, from everywhere. */
const evenly = <T>(items: readonly T[], most: number): T[] =>
  items.length <= most
    ? [...items]
    : Array.from({ length: most }, (_, i) => items[Math.floor((i * items.length) / most)] as T);

const hasPocketCorpus = ({ hooked: { info }, tokenizer }: OpenModel): boolean =>
  tokenizer !== undefined && speaksPocket(info, tokenizer);

function expectPocket(model: OpenModel): void {
  if (hasPocketCorpus(model)) return;
  throw new LimnError('usage/dictionary-data', `${model.name} comes with no text of its own`, {
    hint: 'give --text FILE: a text in UTF-8, or a .jsonl file with a list of token ids a line; pocket has a corpus',
  });
}

function expectContext({ hooked: { info }, name }: OpenModel, context: number): void {
  if (context <= info.maxPositions) return;
  throw new LimnError(
    'usage/dictionary-context',
    `--context ${context}: ${name} takes at most ${info.maxPositions} tokens`,
    { details: { context, maxPositions: info.maxPositions } },
  );
}
