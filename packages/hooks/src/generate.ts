// The generation loop, the same for every architecture: prefill once, then one cached token at a time, with edits in force throughout.
import { LimnError } from '@limn/gpu';
import { randomUniform, readFloats, readWords, topK, type Tensor } from '@limn/tensor';
import type { Intervention } from './intervention.js';
import type { HookedModel, Run } from './model.js';
import { tokenBatch, type TokenBatch } from './token-batch.js';

/** How the next token is chosen. */
export type Sampling =
  | { readonly kind: 'greedy' }
  | {
      readonly kind: 'sample';
      readonly seed: number;
      /** Divides the logits. Default 1. */
      readonly temperature?: number;
      /** Only the k likeliest tokens, 1…64. Default: all. */
      readonly topK?: number;
    };

export interface GenerateOptions {
  readonly newTokens: number;
  /** Default greedy: the likeliest token, ties to the lower id. */
  readonly sampling?: Sampling;
  /** In force in every run. One with `positions` holds at those absolute positions, one with `phase` in the prompt or behind it. */
  readonly interventions?: readonly Intervention[];
  /** A row ends behind this token. Default: the model's eosId; `null` for none. */
  readonly stopAt?: number | null;
  readonly signal?: AbortSignal;
  /** Called with the new token of every row, −1 for rows that have ended. */
  readonly onTokens?: (tokens: readonly number[]) => void;
}

export interface Generated {
  /** Prompt and new tokens of each row. */
  readonly tokens: readonly (readonly number[])[];
  /** Interventions that edited nothing in any run, with where they were to act. */
  readonly neverFired: readonly string[];
}

/**
 * Continues prompts of any lengths as one batch. Edits at prompt positions are part of the cached keys
 * and values; a new set of edits needs a new call. The same options give the same tokens.
 * @throws LimnError `tokens/…`, `hooks/bad-sampling`, `hooks/…`
 */
export async function generate(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<Generated> {
  checkSampling(options, model.info.vocabulary);
  const { lengths } = tokenBatch(prompts, model.info);
  checkRoom(lengths, options.newTokens, model.info.maxPositions);
  const tokens: number[][] = [];
  const fired = new Set<string>();
  tokens.push(...(await continueBatch(model, prompts, options, fired)));
  const neverFired = (options.interventions ?? []).map(({ label }) => label).filter((label) => !fired.has(label));
  return { tokens, neverFired };
}

async function continueBatch(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
  fired: Set<string>,
): Promise<number[][]> {
  const { newTokens, interventions = [], signal, onTokens } = options;
  const stopAt = options.stopAt === undefined ? model.info.eosId : (options.stopAt ?? undefined);
  const rows = prompts.map((prompt) => [...prompt]);
  const ended = rows.map(() => newTokens === 0);
  const runOptions = { interventions, logits: 'last' } as const;
  const longest = Math.max(...prompts.map(({ length }) => length));
  let step = model.gpu.step({ label: 'prefill' });
  const prefilled = model.prefill(step, tokenBatch(rows, model.info), {
    ...runOptions,
    capacity: Math.max(longest, longest + newTokens - 1),
  });
  const { cache } = prefilled;
  let { run } = prefilled;
  try {
    for (let n = 0; n < newTokens; n++) {
      signal?.throwIfAborted();
      const chosen = await choose(
        run,
        step,
        options.sampling ?? { kind: 'greedy' },
        rows.map(({ length }) => length),
      );
      const skipped = new Set(run.skipped.map(({ label }) => label));
      for (const { label } of interventions) if (!skipped.has(label)) fired.add(label);
      onTokens?.(chosen.map((token, r) => (ended[r] ? -1 : token)));
      chosen.forEach((token, r) => {
        if (!ended[r]) rows[r]?.push(token);
        if (token === stopAt) ended[r] = true;
      });
      if (n === newTokens - 1 || ended.every(Boolean)) break;
      const lengths = ended.map((end) => (end ? 0 : 1));
      const next: TokenBatch = { ids: Uint32Array.from(chosen), B: rows.length, T: 1, lengths };
      step = model.gpu.step({ label: 'decode' });
      run = model.decode(step, next, cache, runOptions);
    }
    return rows;
  } finally {
    cache.dispose();
    step.dispose();
  }
}

/** One token per row from logits [B, V]. */
async function choose(
  run: Run,
  step: Parameters<typeof topK>[0],
  sampling: Sampling,
  positions: readonly number[],
): Promise<number[]> {
  const logits = run.logits as Tensor;
  const [B, V] = logits.shape as [number, number];
  const k = sampling.kind === 'greedy' ? 1 : sampling.topK;
  const top = k === undefined ? undefined : topK(step, logits, Math.min(k, V));
  const [values, ids] = await Promise.all([
    readFloats(step, top?.values ?? logits),
    top ? readWords(step, top.indices) : undefined,
  ]);
  const width = values.length / B;
  return Array.from({ length: B }, (_, b) => {
    const row = values.subarray(b * width, (b + 1) * width);
    const place =
      sampling.kind === 'greedy'
        ? 0
        : sample(row, sampling.temperature ?? 1, randomUniform(sampling.seed, b, positions[b] as number));
    return ids ? (ids[b * width + place] as number) : place;
  });
}

/** The place where the cumulative softmax of logits/temperature passes u, in float64. */
function sample(logits: Float32Array, temperature: number, u: number): number {
  const top = logits.reduce((a, b) => Math.max(a, b), -Infinity);
  const weights = Array.from(logits, (logit) => Math.exp((logit - top) / temperature));
  let left = u * weights.reduce((a, b) => a + b, 0);
  let last = 0;
  for (const [place, weight] of weights.entries()) {
    if (weight > 0) last = place;
    left -= weight;
    if (left < 0) return place;
  }
  // Rounding can leave a little behind the last token that has any weight.
  return last;
}

/** The last new token is never fed back, so it needs no position of its own. */
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

function checkSampling({ newTokens, sampling }: GenerateOptions, vocabulary: number): void {
  const bad = (what: string, allowed: string): LimnError =>
    new LimnError('hooks/bad-sampling', `${what}; allowed: ${allowed}`, { details: { newTokens, sampling } });
  if (!Number.isInteger(newTokens) || newTokens < 0) throw bad(`newTokens is ${newTokens}`, 'a whole number from 0');
  if (sampling?.kind !== 'sample') return;
  const { temperature = 1, topK: k } = sampling;
  if (!(temperature > 0) || !Number.isFinite(temperature))
    throw bad(`temperature is ${temperature}`, 'a number above 0; use greedy for the limit 0');
  if (k !== undefined && !(Number.isInteger(k) && k >= 1 && k <= 64))
    throw bad(`topK is ${k}`, `a whole number from 1 to ${Math.min(64, vocabulary)}`);
}
