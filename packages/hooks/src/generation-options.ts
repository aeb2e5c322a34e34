// What a generation may be asked for, and the checks made before any work.
import { LimnError, shownValue } from '@limn/gpu';
import { MAX_BINDING_BYTES, MAX_TOP_K } from '@limn/tensor';
import type { Intervention } from './intervention.js';
import type { ModelInfo } from './model.js';
import { DEFAULT_MEMORY_BYTES } from './record-within.js';

/** What both ways of choosing a token can do to the logits first. */
interface Repetition {
  /**
   * Divides the positive logits of tokens that the row's text holds, prompt included, and multiplies the others
   * (Keskar et al. 2019, §4.1, as in Hugging Face). Default 1.
   */
  readonly repetitionPenalty?: number;
}

/** Takes the likeliest token; of equal ones that with the lowest id. */
export interface GreedySampling extends Repetition {
  readonly kind: 'greedy';
}

/** Draws from softmax(logits / temperature), limited to the top k and then to the nucleus. */
export interface RandomSampling extends Repetition {
  readonly kind: 'sample';
  /** A whole number below 2⁵³. The token at position p of row r takes random number p of stream r: it depends on no other row. */
  readonly seed: number;
  /** Divides the logits. Default 1. */
  readonly temperature?: number;
  /** Only the k likeliest tokens; of equal ones those with lower ids. Default: all. */
  readonly topK?: number;
  /** Of those the fewest, by falling probability, that hold this share of their mass (Holtzman et al. 2020), 0 < p ≤ 1. Default 1. */
  readonly topP?: number;
  /** The random stream of each prompt, u32. Default: its place among the prompts. Give it when prompts of one data set come in several calls. */
  readonly streams?: readonly number[];
}

/** How the next token is chosen. */
export type Sampling = GreedySampling | RandomSampling;

/** What to generate, and how. */
export interface GenerateOptions {
  /** Most tokens behind each prompt. */
  readonly maxNewTokens: number;
  /** So many tokens come before one of `eosIds` may. Default 0. */
  readonly minNewTokens?: number;
  /** Default greedy. */
  readonly sampling?: Sampling;
  /**
   * In force in every run, adapters included. One with `positions` holds at those absolute positions, one with `phase` at positions
   * of the prompt or at generated ones.
   */
  readonly interventions?: readonly Intervention[];
  /** A row ends with one of these tokens. Default: the model's eosId, if it has one. */
  readonly eosIds?: readonly number[];
  /**
   * The bytes of a list of tokens, such as a tokenizer's `decodeBytes`; with it tokens come with text. It is called with the last few new
   * tokens of a row, never with all: the bytes of a longer list begin with those of a shorter one, and what a token adds depends on no
   * more than the four tokens with bytes in front of it (and four without).
   */
  readonly decode?: (ids: readonly number[]) => Uint8Array;
  /** A row ends when one of these appears in its new text, also across tokens; its text ends in front of it. Needs `decode`. */
  readonly stopStrings?: readonly string[];
  /** With every token the log-probabilities of so many of the likeliest, up to 64. Default 0. */
  readonly topLogProbabilities?: number;
  /** Rows that run together. Default: as many as keep each tensor within 128 MiB and the cache within 512 MiB. */
  readonly rowsAtOnce?: number;
  readonly signal?: AbortSignal;
}

/** Options with their defaults, checked. */
export interface GenerationPlan extends GenerateOptions {
  readonly minNewTokens: number;
  readonly sampling: Sampling;
  readonly interventions: readonly Intervention[];
  readonly eosIds: readonly number[];
  readonly stopStrings: readonly string[];
  readonly topLogProbabilities: number;
  readonly rowsAtOnce: number;
  /** Positions that a cache needs. */
  readonly capacity: number;
}

/** Capacities are multiples of this, so that generations of about the same length share plans and buffers. */
const CAPACITY_UNIT = 16;

/**
 * Checks a request and fills in the defaults.
 * @throws LimnError `hooks/bad-generation`, `hooks/bad-sampling`, `tokens/too-long`
 */
export function planGeneration(info: ModelInfo, lengths: readonly number[], options: GenerateOptions): GenerationPlan {
  if (typeof options !== 'object' || options === null)
    throw bad('generation', `the options are ${shownValue(options)}`, 'options such as { maxNewTokens: 20 }');
  const { maxNewTokens, minNewTokens = 0, topLogProbabilities = 0 } = options;
  const stopStrings = listOf('stopStrings', options.stopStrings ?? [], "'\\n'");
  const eosIds = listOf('eosIds', options.eosIds ?? (info.eosId === undefined ? [] : [info.eosId]), '0');
  const sampling = options.sampling ?? { kind: 'greedy' };
  whole('maxNewTokens', maxNewTokens, 0);
  whole('minNewTokens', minNewTokens, 0, maxNewTokens);
  whole('topLogProbabilities', topLogProbabilities, 0, Math.min(MAX_TOP_K, info.vocabulary));
  for (const id of eosIds) whole('an id of eosIds', id, 0, info.vocabulary - 1);
  for (const stop of stopStrings) {
    if (typeof stop !== 'string' || stop === '')
      throw bad('generation', `a stop string is ${shownValue(stop)}`, 'strings of one character or more');
  }
  if (stopStrings.length > 0 && options.decode === undefined) {
    throw bad('generation', 'stopStrings were given without decode', "a function that gives tokens' bytes");
  }
  if (options.decode !== undefined && typeof options.decode !== 'function')
    throw bad('generation', `decode is ${shownValue(options.decode)}`, "a function that gives tokens' bytes");
  if (minNewTokens > 0 && new Set(eosIds).size === info.vocabulary) {
    throw bad(
      'generation',
      'eosIds holds every token, so none may come before minNewTokens',
      'eosIds that leave a token',
    );
  }
  checkSampling(sampling, lengths.length);
  checkRoom(lengths, maxNewTokens, info.maxPositions);
  // The last token is never fed back, so it needs no place.
  const longest = Math.max(...lengths);
  const needed = longest + Math.max(maxNewTokens - 1, 0);
  const capacity = Math.min(info.maxPositions, CAPACITY_UNIT * Math.ceil(needed / CAPACITY_UNIT));
  const rowsAtOnce = options.rowsAtOnce ?? rowsThatFit(info, longest, capacity);
  whole('rowsAtOnce', rowsAtOnce, 1);
  return {
    ...options,
    minNewTokens,
    sampling,
    interventions: options.interventions ?? [],
    eosIds,
    stopStrings,
    topLogProbabilities,
    rowsAtOnce,
    capacity,
  };
}

/** As many rows as the largest tensor's binding allows and as keep all cached keys and values within the default memory, at least one. */
function rowsThatFit(info: ModelInfo, promptTokens: number, capacity: number): number {
  const cached = 4 * 2 * info.layers * capacity * info.width;
  const rows = Math.min(MAX_BINDING_BYTES / bytesPerRow(info, promptTokens, capacity), DEFAULT_MEMORY_BYTES / cached);
  return Math.max(1, Math.floor(rows));
}

/** Bytes of one row of the largest tensor: logits, cached keys, q, k and v or the MLP of the prompt, or its pattern if someone looks. */
function bytesPerRow(info: ModelInfo, promptTokens: number, capacity: number): number {
  const { vocabulary, width, mlpWidth, heads } = info;
  const prompt = promptTokens * Math.max(3 * width, mlpWidth, heads * promptTokens);
  return 4 * Math.max(vocabulary, capacity * width, prompt);
}

function checkSampling(sampling: Sampling, prompts: number): void {
  if (sampling.kind !== 'greedy' && sampling.kind !== 'sample')
    throw bad('sampling', `kind is ${String((sampling as Sampling).kind)}`, "'greedy' or 'sample'");
  // Logits are divided in f32: far smaller or larger numbers would make infinities of them.
  const positive = (what: string, value: number, allowed: string): void => {
    if (!(Number.isFinite(value) && value >= 2 ** -20 && value <= 2 ** 20))
      throw bad('sampling', `${what} is ${value}`, allowed);
  };
  positive('repetitionPenalty', sampling.repetitionPenalty ?? 1, 'a number from 2⁻²⁰ to 2²⁰');
  if (sampling.kind === 'greedy') return;
  const { seed, temperature = 1, topK, topP = 1, streams } = sampling;
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw bad('sampling', `seed is ${seed}`, 'a whole number from 0 to 2⁵³ − 1');
  positive('temperature', temperature, 'a number from 2⁻²⁰ to 2²⁰; use greedy for the limit 0');
  if (!(Number.isFinite(topP) && topP > 0 && topP <= 1))
    throw bad('sampling', `topP is ${topP}`, 'a number above 0 and up to 1');
  if (topK !== undefined && !(Number.isInteger(topK) && topK >= 1))
    throw bad('sampling', `topK is ${topK}`, 'a whole number from 1');
  if (streams === undefined) return;
  if (!isList(streams)) throw bad('sampling', `streams is ${shownValue(streams)}`, 'a list with one entry per prompt');
  if (streams.length !== prompts)
    throw bad('sampling', `streams has ${streams.length} entries for ${prompts} prompts`, 'one per prompt');
  const odd = streams.find((stream) => !(Number.isInteger(stream) && stream >= 0 && stream < 2 ** 32));
  if (odd !== undefined) throw bad('sampling', `a stream is ${odd}`, 'whole numbers from 0 to 2³² − 1');
}

function checkRoom(lengths: readonly number[], newTokens: number, maxPositions: number): void {
  const row = lengths.findIndex((length) => length + newTokens - 1 > maxPositions);
  if (row < 0) return;
  throw new LimnError(
    'tokens/too-long',
    `prompt ${row} has ${lengths[row]} tokens and ${newTokens} are to follow; the model has ${maxPositions} positions`,
    {
      details: { row, length: lengths[row], newTokens, maxPositions },
      hint: 'Shorten the prompt or generate fewer tokens.',
    },
  );
}

function whole(what: string, value: number, least: number, most = Infinity): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const range = most === Infinity ? `from ${least}` : `from ${least} to ${most}`;
  throw bad('generation', `${what} is ${shownValue(value)}`, `a whole number ${range}`);
}

function isList(given: unknown): boolean {
  return Array.isArray(given) || ArrayBuffer.isView(given);
}

function listOf<Each>(what: string, given: readonly Each[], example: string): readonly Each[] {
  if (isList(given)) return Array.from(given);
  throw bad('generation', `${what} is ${shownValue(given)}`, `a list, also of one, such as [${example}]`);
}

function bad(kind: 'generation' | 'sampling', what: string, allowed: string): LimnError {
  return new LimnError(`hooks/bad-${kind}`, `${what}; allowed: ${allowed}`, {
    details: { what },
    hint: `Give ${allowed}.`,
  });
}
