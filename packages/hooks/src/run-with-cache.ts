// One call, one forward pass: runWithCache keeps chosen activations, runWithHooks edits with functions. Both run the step and free it.
import { LimnError, shownValue, throwIfAborted, type Step } from '@limn/gpu';
import type { Tensor } from '@limn/tensor';
import { ActivationCache } from './activation-cache.js';
import { intervene } from './edits.js';
import { givenInterventions, givenList } from './given-list.js';
import { readArray, type HostArray } from './host-array.js';
import type { Intervention, InterventionContext } from './intervention.js';
import type { HookedModel, LogitRows, Run, RunOptions, SkippedIntervention } from './model.js';
import { parseHookName } from './names.js';
import { asTokenBatch, type Tokens } from './prompts.js';
import { selectSites, type NameFilter, type Reach } from './short-names.js';

/** What both calls take. */
export interface OneRunOptions {
  /** Which logits to bring back. Default `all`; `none` with `stopAtLayer`. */
  readonly logits?: LogitRows;
  /** Stop before this block, 0…layers, or −1…−layers from the end: `resid` of the result is what would enter it. */
  readonly stopAtLayer?: number;
  readonly interventions?: readonly Intervention[];
  readonly signal?: AbortSignal;
}

/** What `runWithCache` takes. */
export interface CacheOptions extends OneRunOptions {
  /** What to keep. Default: nothing. */
  readonly names?: NameFilter;
}

/** A function at one or several sites: it may give a new tensor of the same shape, or nothing and only look. */
export type HookFunction = (x: Tensor, ctx: InterventionContext) => Tensor | undefined | void;

/** What `runWithHooks` takes. */
export interface HooksOptions extends OneRunOptions {
  /** Run in this order where several meet at one site, behind `interventions`. */
  readonly hooks: readonly (readonly [at: NameFilter, run: HookFunction])[];
}

/** What came out of a run, on the host. */
export class RunResult {
  readonly #logits: HostArray | undefined;
  readonly #resid: HostArray | undefined;

  constructor(
    values: { readonly logits?: HostArray | undefined; readonly resid?: HostArray | undefined },
    /** Interventions that reached their site but had nothing to edit there. */
    readonly skipped: readonly SkippedIntervention[],
  ) {
    this.#logits = values.logits;
    this.#resid = values.resid;
  }

  /**
   * [B, T, V] of `all`, [B, V] of `last`, [n, V] of chosen rows. Values at padding mean nothing.
   * @throws LimnError `hooks/no-logits` when none were asked for.
   */
  get logits(): HostArray {
    if (this.#logits) return this.#logits;
    throw new LimnError('hooks/no-logits', 'this run was asked for no logits', {
      hint: "Leave out stopAtLayer and logits: 'none'.",
    });
  }

  /**
   * The residual stream in front of `stopAtLayer`, [B, T, C].
   * @throws LimnError `hooks/not-captured` for a run that does not stop early.
   */
  get resid(): HostArray {
    if (this.#resid) return this.#resid;
    throw new LimnError('hooks/not-captured', 'this run did not stop early, so it has no residual stream of its own', {
      hint: "Give stopAtLayer, or keep 'resid_post' with runWithCache.",
    });
  }
}

/** A result with what was kept of the run. */
export class CachedRunResult extends RunResult {
  constructor(
    values: ConstructorParameters<typeof RunResult>[0],
    skipped: readonly SkippedIntervention[],
    /** Holds GPU memory until it is disposed. */
    readonly cache: ActivationCache,
  ) {
    super(values, skipped);
  }
}

/**
 * Runs a model and keeps the activations that `names` takes; nothing by default. With `logits: 'none'` the run ends behind the last
 * layer that anything is asked of.
 * @throws LimnError `hooks/…` (before any work), `tokens/…`, `gpu/…`; AbortedError
 */
export async function runWithCache(
  model: HookedModel,
  tokens: Tokens,
  options: CacheOptions = {},
): Promise<CachedRunResult> {
  const { names, stopAtLayer, logits } = options;
  const interventions = givenInterventions(options.interventions);
  const capture = names === undefined ? [] : selectSites(names, model.info, reachOf(stopAtLayer, true));
  const request = { interventions, capture };
  if (stopAtLayer !== undefined || logits !== 'none')
    return once(model, tokens, options, request, (step, run) => ActivationCache.keep(step, model, run, capture));
  // The final LayerNorm runs only on the way to logits: then one row of them is made and left unread.
  const used = [...capture, ...interventions.map(({ at }) => at)].map((name) => parseHookName(name, model.info));
  const final = used.some(({ name }) => name.startsWith('ln_final'));
  const end = Math.max(0, ...used.map(({ layer = -1 }) => layer + 1));
  const short: RunOptions = final ? { logits: [0] } : { stopAtLayer: end };
  return once(model, tokens, options, { ...request, ...short }, (step, run) =>
    ActivationCache.keep(step, model, run, capture),
  );
}

/**
 * Runs a model with functions at its sites: `runWithHooks(model, tokens, { hooks: [['pattern', (x, ctx) => …]] })`.
 * A function records operations on `ctx.step`; it never sees numbers. For edits at some rows or positions, or that read other sites,
 * give `interventions`.
 * @throws LimnError `hooks/…` (before any work), `tokens/…`, `gpu/…`; AbortedError
 */
export async function runWithHooks(model: HookedModel, tokens: Tokens, options: HooksOptions): Promise<RunResult> {
  const { stopAtLayer, logits } = options;
  const given = givenList('hooks', options.hooks, "['mlp_out', (x, ctx) => …]");
  const wrong = given.findIndex((each) => !Array.isArray(each) || typeof each[1] !== 'function');
  if (wrong >= 0)
    throw new LimnError(
      'hooks/bad-option',
      `hook ${wrong + 1} is ${shownValue(given[wrong])}, which is no pair of a site and a function`,
      {
        hint: "Give pairs: hooks: [['mlp_out', (x, ctx) => …]].",
      },
    );
  const hooks = given.flatMap(([at, hook], i) =>
    selectSites(at, model.info, reachOf(stopAtLayer, logits !== 'none')).map((name) =>
      intervene(name, `hook ${i + 1}`, (x, ctx) => hook(x, ctx) ?? x),
    ),
  );
  return once(model, tokens, options, { interventions: [...givenInterventions(options.interventions), ...hooks] });
}

function reachOf(stopAtLayer: number | undefined, final: boolean): Reach {
  return stopAtLayer === undefined ? { final } : { final: false, endLayer: stopAtLayer };
}

async function once(
  model: HookedModel,
  tokens: Tokens,
  options: OneRunOptions,
  request: RunOptions,
): Promise<RunResult>;
async function once(
  model: HookedModel,
  tokens: Tokens,
  options: OneRunOptions,
  request: RunOptions,
  keeping: (step: Step, run: Run) => ActivationCache,
): Promise<CachedRunResult>;
async function once(
  model: HookedModel,
  tokens: Tokens,
  { stopAtLayer, logits = 'all', signal }: OneRunOptions,
  request: RunOptions,
  keeping?: (step: Step, run: Run) => ActivationCache,
): Promise<RunResult> {
  throwIfAborted(signal, 'The run');
  const batch = asTokenBatch(tokens, model);
  const step = model.gpu.step({ label: 'run', ...(signal ? { signal } : {}) });
  let cache: ActivationCache | undefined;
  try {
    const asked = stopAtLayer === undefined ? { logits } : { stopAtLayer, ...(logits === 'all' ? {} : { logits }) };
    const run = model.run(step, { tokens: batch }, { ...asked, ...request });
    cache = keeping?.(step, run);
    const wantsLogits = stopAtLayer === undefined && logits !== 'none';
    const [values, resid] = await Promise.all([
      wantsLogits ? readArray(step, run.logits, logitShape(run, logits)) : undefined,
      stopAtLayer === undefined ? undefined : readArray(step, run.resid),
      step.submit(),
    ]);
    const result = { logits: values, resid };
    return cache ? new CachedRunResult(result, run.skipped, cache) : new RunResult(result, run.skipped);
  } catch (error) {
    cache?.dispose();
    throw error;
  } finally {
    step.dispose();
  }
}

function logitShape({ B, T, logits }: Run, choice: LogitRows): readonly number[] {
  const [rows, V] = logits.shape as [number, number];
  return choice === 'all' ? [B, T, V] : [rows, V];
}
