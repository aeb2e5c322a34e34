// Generation, the same for every architecture: prefill once, then one cached token at a time, sampled on the GPU, with edits in force throughout.
import { throwIfAborted } from '@limn/gpu';
import { planGeneration, type GenerateOptions, type GenerationPlan } from './generation-options.js';
import type { Intervention } from './intervention.js';
import type { KeyValueCache } from './key-value-cache.js';
import type { HookedModel, Run } from './model.js';
import { planRun } from './run-plan.js';
import { asTokenBatch, type Tokens } from './prompts.js';
import { TextStream } from './text-stream.js';
import { tokenBatch, type TokenBatch } from './token-batch.js';
import { TokenBytes } from './token-bytes.js';
import { expectFinite, TokenSampler, type ChosenToken, type TokenLogProbability } from './token-sampler.js';

/** Why a row has ended: a token of `eosIds`, a stop string, or `maxNewTokens`. */
export type EndReason = 'eos' | 'stop-string' | 'length';

/** One new token of one row. */
export interface GeneratedToken {
  /** Which prompt it continues. */
  readonly row: number;
  /** Where it stands, counted from the start of the prompt. */
  readonly position: number;
  readonly id: number;
  /** ln p under the model itself, before penalty, temperature and limits. */
  readonly logProbability: number;
  /** The likeliest tokens under the model, likeliest first; with `topLogProbabilities`. */
  readonly top?: readonly TokenLogProbability[];
  /**
   * Text that is certain with this token: whole characters, and nothing that may be part of a stop string. A row's parts joined are
   * its text. The token that ends a row with 'eos' has none of its own. With `decode`.
   */
  readonly text?: string;
  /** Why the row ends with this token. */
  readonly end?: EndReason;
}

/** What was made of one prompt. */
export interface GeneratedRow {
  /** New tokens, the one that ended the row included. */
  readonly newTokens: readonly GeneratedToken[];
  /** With `decode`: their text, up to a stop string. */
  readonly text?: string;
  /** Missing if there was nothing to generate. */
  readonly end?: EndReason;
}

/** What was made of all prompts. */
export interface Generated {
  /** Prompt and new tokens of each row. */
  readonly tokens: readonly (readonly number[])[];
  readonly rows: readonly GeneratedRow[];
  /** Interventions that edited nothing in any run. */
  readonly neverFired: readonly string[];
}

/** New tokens as they come. Nothing runs before the first is asked for; leaving the loop early frees everything. */
export interface GenerationStream extends AsyncIterable<GeneratedToken> {
  /** Labels of interventions that have edited nothing so far; complete when the loop has ended. */
  readonly neverFired: readonly string[];
}

/**
 * Continues prompts of any lengths: several, one alone, or a checked batch. The same options give the same tokens; a row's random numbers depend on nothing but seed, stream and
 * position. Edits at prompt positions are part of the cached keys and values; a new set of edits needs a new call.
 * @throws LimnError `tokens/…`, `hooks/bad-generation`, `hooks/bad-sampling`, `hooks/not-finite`, `hooks/…` as a run, `aborted`
 */
export async function generate(model: HookedModel, prompts: Tokens, options: GenerateOptions): Promise<Generated> {
  const given = rowsOf(asTokenBatch(prompts, model));
  const stream = generateStream(model, given, options);
  const rows = given.map((): GeneratedToken[] => []);
  for await (const token of stream) rows[token.row]?.push(token);
  return {
    tokens: given.map((prompt, r) => [...prompt, ...(rows[r] ?? []).map(({ id }) => id)]),
    rows: rows.map((newTokens) => {
      const end = newTokens.at(-1)?.end;
      const text = options.decode ? { text: newTokens.map((token) => token.text).join('') } : {};
      return { newTokens, ...text, ...(end ? { end } : {}) };
    }),
    neverFired: stream.neverFired,
  };
}

/**
 * As `generate`, token by token: `for await (const { row, text } of generateStream(…))`. The request is checked at once, and the prompts
 * are copied; a second loop over the same stream generates the same again.
 * @throws LimnError as `generate`, the checks at once and the rest from the loop
 */
export function generateStream(model: HookedModel, prompts: Tokens, options: GenerateOptions): GenerationStream {
  const { info } = model;
  const tokens = asTokenBatch(prompts, model);
  const rows = rowsOf(tokens);
  const plan = planGeneration(info, tokens.lengths, options);
  planRun(info, { tokens }, { interventions: plan.interventions, logits: 'last' });
  let fired = new Set<Intervention>();
  return {
    get neverFired() {
      return plan.interventions.filter((edit) => !fired.has(edit)).map(({ label }) => label);
    },
    async *[Symbol.asyncIterator]() {
      fired = new Set();
      if (plan.maxNewTokens === 0) return;
      for (let start = 0; start < rows.length; start += plan.rowsAtOnce) {
        yield* continueRows(model, rows.slice(start, start + plan.rowsAtOnce), start, plan, fired);
      }
    },
  };
}

/** One batch, to its end. */
async function* continueRows(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  start: number,
  plan: GenerationPlan,
  fired: Set<Intervention>,
): AsyncGenerator<GeneratedToken> {
  const { interventions, signal, capacity, sampling } = plan;
  throwIfAborted(signal, 'generation');
  const B = prompts.length;
  const chosenStreams = sampling.kind === 'sample' ? sampling.streams : undefined;
  const streams = prompts.map((_, b) => chosenStreams?.[start + b] ?? start + b);
  const rows = prompts.map((prompt, b) => new Row(start + b, prompt.length, plan));
  const options = { interventions, logits: 'last', rows: { start, count: B } } as const;
  const stepOptions = signal ? { signal } : {};
  let cache: KeyValueCache | undefined;
  let sampler: TokenSampler | undefined;
  let step = model.gpu.step({ label: 'prefill', ...stepOptions });
  try {
    sampler = new TokenSampler(model.gpu, plan, model.info.vocabulary, prompts);
    const prefilled = model.prefill(step, tokenBatch(prompts, model.info), { ...options, capacity });
    let run: Run = prefilled.run;
    cache = prefilled.cache;
    for (let count = 0; ; count++) {
      const positions = rows.map(({ length }) => length);
      const chosen = await sampler.choose(step, run.logits, { streams, positions, count });
      noteFired(interventions, run, fired);
      for (const [b, row] of rows.entries()) if (!row.ended) yield row.take(chosen[b] as ChosenToken);
      if (rows.every(({ ended }) => ended)) return;
      throwIfAborted(signal, 'generation');
      const next: TokenBatch = {
        ids: Uint32Array.from(chosen, ({ id }) => id),
        B,
        T: 1,
        lengths: rows.map(({ ended }) => (ended ? 0 : 1)),
      };
      step = model.gpu.step({ label: 'decode', ...stepOptions });
      run = model.decode(step, next, cache, options);
    }
  } finally {
    step.dispose();
    cache?.dispose();
    sampler?.dispose();
  }
}

/** One row on its way. */
class Row {
  ended = false;
  private count = 0;
  private readonly text: { readonly bytes: TokenBytes; readonly stream: TextStream } | undefined;

  constructor(
    private readonly row: number,
    /** Tokens so far, prompt included: the position of the next one. */
    public length: number,
    private readonly plan: GenerationPlan,
  ) {
    if (plan.decode) this.text = { bytes: new TokenBytes(plan.decode), stream: new TextStream(plan.stopStrings) };
  }

  take({ id, logProbability, top }: ChosenToken): GeneratedToken {
    const position = this.length;
    expectFinite({ id, logProbability }, this.row, position);
    this.length += 1;
    this.count += 1;
    const { plan, text } = this;
    const eos = plan.eosIds.includes(id);
    const part = eos ? undefined : text?.stream.push(text.bytes.push(id));
    const end: EndReason | undefined = eos
      ? 'eos'
      : part?.stopped
        ? 'stop-string'
        : this.count === plan.maxNewTokens
          ? 'length'
          : undefined;
    this.ended = end !== undefined;
    return {
      row: this.row,
      position,
      id,
      logProbability,
      ...(plan.topLogProbabilities > 0 ? { top } : {}),
      ...(text ? { text: (part?.text ?? '') + (end ? text.stream.end() : '') } : {}),
      ...(end ? { end } : {}),
    };
  }
}

/** The real tokens of each row: a copy, as the caller may go on with its own. */
function rowsOf({ ids, T, lengths }: TokenBatch): number[][] {
  return lengths.map((length, b) => Array.from(ids.subarray(b * T, b * T + length)));
}

function noteFired(interventions: readonly Intervention[], run: Run, fired: Set<Intervention>): void {
  if (interventions.length === 0) return;
  const skipped = new Set(run.skipped.map(({ intervention }) => intervention));
  for (const edit of interventions) if (!skipped.has(edit)) fired.add(edit);
}
