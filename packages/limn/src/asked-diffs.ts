// Diffs that are asked one question through an adapter: what each says, the candidates by calibrated probability, and whether "none" is to be believed.
import {
  askDiffs,
  calibratedAnswer,
  probabilitiesAt,
  somethingProbability,
  type DitAnswer,
  type LoraWeights,
} from '@limn/dit';
import { LimnError } from '@limn/gpu';
import type { DitDecision, LikelyAnswers } from '@limn/report';
import type { CommandContext } from './context.js';
import type { AskedQuestion } from './dit-adapter-record.js';
import type { RefusedDiff } from './audited-folders.js';
import { isCoded } from './exit-code.js';
import type { OpenedDiff } from './given-diff.js';
import type { OpenModel } from './model-source.js';

/** What one diff answers. */
export interface DiffAnswer {
  /** Greedy, without the end. */
  readonly text: string;
  /** false where it was cut off before its end. */
  readonly ended: boolean;
  /** Of the whole answer, its end included. */
  readonly probability: number;
  /** Token ids of the answer, with its end where it has one. */
  readonly tokens: readonly number[];
  /** First tokens over the full vocabulary, the likeliest first. */
  readonly top: LikelyAnswers;
  /** Absent where the question has no candidates. */
  readonly among?: RankedCandidates;
}

/** Candidates of a question. */
export interface RankedCandidates {
  /** Log-probabilities in the question's order. */
  readonly scores: Float64Array;
  /** The likeliest first, at the calibrated temperature. */
  readonly ranked: LikelyAnswers;
  /** Calibrated; null where the question has no answer for "nothing". */
  readonly none: number | null;
  /** 1 − p(none) where there is such an answer, exact near 0; else null. What diffs are ranked by. */
  readonly something: number | null;
  /** Calibrated probability of the candidate that the answer begins with, of "none" where that is decided; 0 for an answer that begins with none of them. */
  readonly confidence: number;
  /** Whether 1 − p(none) is above the calibrated threshold; absent without one. */
  readonly above?: boolean;
  /** 'unsure' without a calibration, and where "none" is still the likeliest of all although more speaks against it than the threshold allows. */
  readonly decision: DitDecision;
}

/** First tokens beyond which none are read back. */
const MOST_TOLD = 64;

/** How to ask. */
export interface AskControls {
  /** Candidates and tokens that are told. */
  readonly top: number;
  readonly maxNewTokens: number;
  /** Tokens that end an answer. */
  readonly ends: readonly number[];
  /** In progress lines. */
  readonly phase?: string;
}

/**
 * Asks every one of `diffs`, null being the bare model; without an adapter they answer by themselves.
 * @throws LimnError as `askDiffs`; AbortedError
 */
export async function askedDiffs(
  model: OpenModel,
  diffs: readonly (LoraWeights | null)[],
  adapter: LoraWeights | null,
  question: AskedQuestion,
  controls: AskControls,
  { signal, console }: Pick<CommandContext, 'signal' | 'console'>,
): Promise<DiffAnswer[]> {
  const { top, maxNewTokens, ends, phase = 'asking' } = controls;
  const loras = diffs.filter((lora) => lora !== null);
  let next = 0;
  const most = Math.min(top, MOST_TOLD, model.hooked.info.vocabulary);
  const questions = diffs.map((lora) => ({ diff: lora === null ? null : next++, prompt: question.prompt }));
  const candidates = question.candidates.map(({ id }) => id);
  const answers = await askDiffs(model.hooked, loras, adapter, questions, {
    maxNewTokens,
    eosIds: ends,
    top: most,
    ...(candidates.length === 0 ? {} : { candidates }),
    signal,
    onProgress: ({ done, total }) => console.progress({ phase, done, total, unit: 'diffs' }),
  });
  return answers.map((answer) => told(answer, question, top, ends, model));
}

/** What came of asking: an answer for every diff, undefined for those that were refused. */
export interface AskedOneByOne {
  readonly answers: readonly (DiffAnswer | undefined)[];
  readonly refused: readonly RefusedDiff[];
}

/**
 * Asks as `askedDiffs` does; where some cannot be asked, such as those whose numbers overflow in the model, they are told apart by halves and refused by name.
 * @throws LimnError as `askedDiffs` where it is not the diffs' fault: `gpu/…`; AbortedError
 */
export async function askedOneByOne(
  model: OpenModel,
  diffs: readonly OpenedDiff[],
  adapter: LoraWeights | null,
  question: AskedQuestion,
  controls: AskControls,
  context: Pick<CommandContext, 'signal' | 'console'>,
): Promise<AskedOneByOne> {
  const loras = diffs.map(({ lora }) => lora);
  try {
    return { answers: await askedDiffs(model, loras, adapter, question, controls, context), refused: [] };
  } catch (error) {
    if (!isCoded(error) || !ITS_OWN_FAULT.has(error.code)) throw error;
    const [only, ...others] = diffs;
    if (only && others.length === 0)
      return { answers: [undefined], refused: [{ name: only.name, code: error.code, reason: error.message }] };
    const middle = diffs.length >> 1;
    const halves: AskedOneByOne[] = [];
    for (const half of [diffs.slice(0, middle), diffs.slice(middle)])
      halves.push(await askedOneByOne(model, half, adapter, question, controls, context));
    return { answers: halves.flatMap(({ answers }) => answers), refused: halves.flatMap(({ refused }) => refused) };
  }
}

/** Codes of numbers that a diff brings into the model. */
const ITS_OWN_FAULT = new Set(['hooks/not-finite', 'data/evaluation', 'data/lora-values']);

function told(
  answer: DitAnswer,
  question: AskedQuestion,
  top: number,
  ends: readonly number[],
  model: OpenModel,
): DiffAnswer {
  const { tokens, ended, logProbability, candidates } = answer;
  const [end] = ends;
  return {
    text: spelt(tokens, model),
    ended,
    probability: Math.min(1, Math.exp(logProbability)),
    tokens: ended && end !== undefined ? [...tokens, end] : tokens,
    top: answer.top.map(({ id, logProbability: log }) => ({
      text: model.show(id),
      probability: Math.min(1, Math.exp(log)),
    })),
    ...(candidates ? { among: rankedCandidates(candidates, tokens[0] ?? end, question, top) } : {}),
  };
}

/** The text of tokens, or their ids where the model has no tokenizer. */
export const spelt = (tokens: readonly number[], { tokenizer }: OpenModel): string =>
  tokenizer?.decode([...tokens]) ?? tokens.join(',');

/**
 * Candidates by what their log-probabilities come to. `first` is the token that the answer begins with.
 * @throws LimnError `data/evaluation` for log-probabilities that are no numbers
 */
export function rankedCandidates(
  logProbabilities: ArrayLike<number>,
  first: number | undefined,
  { candidates, none: nothing, calibration }: AskedQuestion,
  top: number,
): RankedCandidates {
  const scores = Float64Array.from(logProbabilities);
  const temperature = calibration?.temperature ?? 1;
  const shares = probabilitiesAt(scores, temperature);
  const order = Array.from(shares.keys()).sort((a, b) => (shares[b] as number) - (shares[a] as number) || a - b);
  const ranked = order
    .slice(0, top)
    .map((i) => ({ text: candidates[i]?.text ?? '', probability: shares[i] as number }));
  const none = candidates.findIndex(({ text }) => text === nothing);
  const begun = shares[candidates.findIndex(({ id }) => id === first)] ?? 0;
  if (none < 0) return { scores, ranked, none: null, something: null, confidence: begun, decision: 'unsure' };
  const something = somethingProbability(scores, { none, temperature });
  const all = { scores, ranked, none: shares[none] as number, something };
  if (!calibration) return { ...all, confidence: begun, decision: 'unsure' };
  const { candidate } = calibratedAnswer(scores, calibration, { none });
  const decision = candidate === none ? 'none' : order[0] === none ? 'unsure' : 'changed';
  return { ...all, above: candidate !== none, confidence: decision === 'none' ? all.none : begun, decision };
}

/**
 * Refuses a question that nothing can be ranked by.
 * @throws LimnError `usage/dit-question`
 */
export function expectRanked({ name, none, candidates }: AskedQuestion): void {
  if (candidates.length > 0 && none !== null) return;
  throw new LimnError(
    'usage/dit-question',
    `'${name}' has no list of answers with one for "nothing", so nothing can be ranked by it`,
    {
      details: { question: name },
      hint: 'ask a question that the adapter was trained on',
    },
  );
}
