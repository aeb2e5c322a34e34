// Asks about diffs: each question on a row of its own with the diff that it is about, and the adapter on all of them.
import { LimnError, shownValue, throwIfAborted } from '@limn/gpu';
import { generate, tokenBatch, type HookedModel, type Intervention, type TokenLogProbability } from '@limn/hooks';
import { fromData, gatherLogits, logSoftmax, readFloats } from '@limn/tensor';
import { DiffStack } from '../diffs/diff-stack.js';
import { LoraAdapter } from '../lora/lora-adapter.js';
import type { BaseOptions, LoraWeights } from '../lora/lora-weights.js';
import { whole } from './adapter-options.js';
import { diffsOfRows, frozenDiffs, stackable } from './adapter-pass.js';
import type { DitExample } from './dit-example.js';

/** A prompt about a diff. */
export type DitQuestion = Pick<DitExample, 'diff' | 'prompt'>;

/** How to ask. */
export interface AskOptions extends BaseOptions {
  /** Most tokens of an answer, its end among them. */
  readonly maxNewTokens: number;
  /** Tokens that end an answer. Default: the model's eosId. */
  readonly eosIds?: readonly number[] | undefined;
  /** How many of the likeliest first tokens are told, up to 64. Default 5, or the vocabulary where that is less. */
  readonly top?: number | undefined;
  /** Tokens whose log-probability as the first of the answer is told. */
  readonly candidates?: readonly number[] | undefined;
  /** Questions of a pass, and diffs whose factors are on the device at a time. Default 32. */
  readonly rows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: { readonly done: number; readonly total: number }) => void) | undefined;
}

/** What was answered. */
export interface DitAnswer {
  /** The likeliest token each time, without the end. */
  readonly tokens: readonly number[];
  /** Whether it ended, rather than being cut off. */
  readonly ended: boolean;
  /** Of the whole answer, in nats, its end included. */
  readonly logProbability: number;
  /** First tokens, of the whole vocabulary, the likeliest first. */
  readonly top: readonly TokenLogProbability[];
  /** Log-probability of each candidate as the first token, in nats over the whole vocabulary; absent where none were given. */
  readonly candidates?: Float32Array;
}

/**
 * Greedy answers to questions about diffs, with the adapter on: base + diff + adapter. Without an adapter it is what a diff itself says, and with diff null what the base says with
 * the adapter or without. An answer does not depend on what else is asked beyond f32 round-off.
 * @throws LimnError before any work: `usage/dit-question` among `usage/…`; for diffs or an adapter of another model `data/lora-base`, `data/lora-processed` and what else is refused of
 * a LoRA (`data/…`); `tokens/…`, `hooks/…`, `gpu/…`; AbortedError
 */
export async function askDiffs(
  model: HookedModel,
  diffs: readonly LoraWeights[],
  adapter: LoraWeights | null,
  questions: readonly DitQuestion[],
  options: AskOptions,
): Promise<DitAnswer[]> {
  const { rows = 32, signal, onProgress, anyBase } = options;
  checkAsk(model, diffs.length, questions, options);
  const frozen = frozenDiffs(model, diffs, { anyBase });
  const places = Math.min(rows, questions.length);
  if (places === 0) return [];
  using stack = DiffStack.create(model.gpu, frozen.linears, Array.from({ length: places }), frozen.rank);
  using reader = adapter === null ? undefined : new LoraAdapter(model, adapter, { name: 'the adapter', anyBase });
  const answers: DitAnswer[] = [];
  for (let first = 0; first < questions.length; first += rows) {
    throwIfAborted(signal, 'Asking about diffs');
    const some = questions.slice(first, first + rows);
    const { places: used, taskOfRow } = diffsOfRows(some.map(({ diff }) => diff));
    stack.write(stackable(frozen, used, places));
    const interventions = [...stack.interventions({ taskOfRow }), ...(reader?.interventions() ?? [])];
    answers.push(...(await answersOf(model, some, interventions, options)));
    onProgress?.({ done: answers.length, total: questions.length });
  }
  return answers;
}

async function answersOf(
  model: HookedModel,
  questions: readonly DitQuestion[],
  interventions: readonly Intervention[],
  options: AskOptions,
): Promise<DitAnswer[]> {
  const { maxNewTokens, candidates = [], signal } = options;
  const { eosIds = model.info.eosId === undefined ? [] : [model.info.eosId] } = options;
  const prompts = questions.map(({ prompt }) => prompt);
  const { rows } = await generate(model, prompts, {
    maxNewTokens,
    eosIds,
    topLogProbabilities: topOf(options, model),
    interventions,
    ...(signal ? { signal } : {}),
  });
  const known = candidates.length === 0 ? [] : await candidateRows(model, prompts, interventions, candidates);
  return rows.map(({ newTokens, end }, row): DitAnswer => {
    const ended = end === 'eos';
    const ids = newTokens.map(({ id }) => id);
    return {
      tokens: ended ? ids.slice(0, -1) : ids,
      ended,
      logProbability: newTokens.reduce((sum, { logProbability }) => sum + logProbability, 0),
      top: newTokens[0]?.top ?? [],
      ...(known[row] ? { candidates: known[row] } : {}),
    };
  });
}

/** Log-probabilities of the candidates behind every prompt. */
async function candidateRows(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  interventions: readonly Intervention[],
  candidates: readonly number[],
): Promise<Float32Array[]> {
  const width = candidates.length;
  const ids = Uint32Array.from({ length: prompts.length * width }, (_, i) => candidates[i % width] as number);
  const step = model.gpu.step({ label: 'candidates' });
  try {
    const { logits } = model.run(step, { tokens: tokenBatch(prompts, model.info) }, { interventions, logits: 'last' });
    const chosen = gatherLogits(step, logSoftmax(step, logits), fromData(step, ids, [prompts.length, width]));
    const values = await readFloats(step, chosen);
    return prompts.map((_, row) => values.slice(row * width, (row + 1) * width));
  } finally {
    step.dispose();
  }
}

const topOf = ({ top }: AskOptions, { info }: Pick<HookedModel, 'info'>): number => top ?? Math.min(5, info.vocabulary);

/** @throws LimnError `usage/dit-question` */
function checkAsk(
  model: Pick<HookedModel, 'info'>,
  diffs: number,
  questions: readonly DitQuestion[],
  options: AskOptions,
): void {
  const { rows = 32, maxNewTokens, candidates = [] } = options;
  const { vocabulary, maxPositions } = model.info;
  const expect = (sound: boolean, what: string, given: unknown, allowed: string): void => {
    if (sound) return;
    throw new LimnError(
      'usage/dit-question',
      `Asking about diffs: ${what} is ${shownValue(given)}; allowed: ${allowed}.`,
      {
        details: { what, given: shownValue(given) },
        hint: `Give ${allowed}.`,
      },
    );
  };
  expect(whole(rows, 1), 'rows', rows, 'a whole number from 1');
  expect(whole(maxNewTokens, 1), 'maxNewTokens', maxNewTokens, 'a whole number from 1');
  const top = topOf(options, model);
  expect(whole(top, 0, Math.min(64, vocabulary)), 'top', top, `a whole number from 0 to ${Math.min(64, vocabulary)}`);
  for (const id of candidates)
    expect(whole(id, 0, vocabulary - 1), 'a candidate', id, `tokens from 0 to ${vocabulary - 1}`);
  questions.forEach(({ diff, prompt }, i) => {
    const known = diff === null || whole(diff, 0, diffs - 1);
    expect(known, `the diff of question ${i}`, diff, diffs === 0 ? 'null' : `0 to ${diffs - 1}, or null`);
    const length = prompt.length;
    const most = maxPositions + 1 - maxNewTokens;
    expect(length >= 1 && length <= most, `the length of question ${i}`, length, `1 to ${most} tokens`);
    for (const id of prompt)
      expect(whole(id, 0, vocabulary - 1), `a token of question ${i}`, id, `tokens from 0 to ${vocabulary - 1}`);
  });
}
