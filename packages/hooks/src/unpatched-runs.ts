// The two runs without patches behind a sweep: their metric, the base streams that patched passes start from, and what is patched in.
import { LimnError, shownValue, type Step } from '@limn/gpu';
import { detach, keep, readFloats, reshape, type Tensor } from '@limn/tensor';
import { expectTensor } from './expected-tensor.js';
import type { HookedModel, Run } from './model.js';
import { blockHook, parseHookName, type HookName } from './names.js';
import type { PatchOptions, PatchRequest } from './patch-request.js';
import { overBudget, recordWithin } from './record-within.js';
import type { TokenBatch } from './token-batch.js';

/** Both runs without patches for some of the prompts: their metric, the base streams that patched runs start from, and what is patched in. */
export class UnpatchedRuns {
  private constructor(
    /** Prompts first … first + count − 1. */
    readonly first: number,
    readonly count: number,
    readonly lengths: readonly number[],
    readonly values: { readonly base: ArrayLike<number>; readonly source: ArrayLike<number> },
    /** resid_pre of the base run and the site of the source run, by name: [count, …]. */
    private readonly tensors: ReadonlyMap<HookName, Tensor>,
    private readonly sources: ReadonlyMap<HookName, Tensor>,
  ) {}

  /** Runs as many prompts from `first` on as fit. @throws LimnError `memory/over-budget`, `gpu/…`; AbortedError */
  static async of(
    model: HookedModel,
    options: PatchOptions,
    request: PatchRequest,
    first: number,
  ): Promise<UnpatchedRuns> {
    const { base, source, index, site, direction, batchRows, memoryBytes } = request;
    const layers = index.layer ?? [];
    const kept: Tensor[] = [];
    const { step, count, recorded } = recordWithin({
      what: 'Patching activations',
      unit: 'prompt',
      memoryBytes,
      most: Math.min(base.B - first, batchRows, promptsKept(model, request)),
      open: () => openStep(model, options, 'patching: unpatched runs'),
      record(at, count) {
        const runOf = (tokens: TokenBatch, capture: HookName[]) =>
          model.run(at, { tokens: rowsOf(tokens, first, count) }, { capture, logits: options.logits ?? 'last' });
        const starts = layers.map((layer) => blockHook(layer, 'hook_resid_pre'));
        const places = layers.map((layer) => blockHook(layer, site));
        return { baseRun: runOf(base, starts), sourceRun: runOf(source, places), starts, places };
      },
    });
    try {
      const { baseRun, sourceRun, starts, places } = recorded;
      const hold = (run: Run, names: readonly HookName[]) =>
        new Map(
          names.map((name) => {
            const tensor = keep(step, detach(run.at(name)));
            kept.push(tensor);
            return [name, tensor] as const;
          }),
        );
      const [tensors, sources] = [hold(baseRun, starts), hold(sourceRun, places)];
      const [from, to] = direction === 'denoise' ? ['clean', 'corrupted'] : ['corrupted', 'clean'];
      const prompts = Array.from({ length: count }, (_, b) => first + b);
      const [ofBase, ofSource] = await Promise.all([
        measure(step, baseRun, options, prompts, (b) => `nothing patched in ${to} prompt ${prompts[b]}`),
        measure(step, sourceRun, options, prompts, (b) => `nothing patched in ${from} prompt ${prompts[b]}`),
      ]);
      return new UnpatchedRuns(first, count, baseRun.lengths, { base: ofBase, source: ofSource }, tensors, sources);
    } catch (error) {
      for (const tensor of kept) tensor.dispose();
      throw error;
    } finally {
      step.dispose();
    }
  }

  /** The base run's stream in front of a block, [count, T, C]. */
  start(layer: number): Tensor {
    return this.tensors.get(blockHook(layer, 'hook_resid_pre')) as Tensor;
  }

  /** What the source run has at the site, [count, …]. */
  source(name: HookName): Tensor {
    return this.sources.get(name) as Tensor;
  }

  dispose(): void {
    for (const tensor of [...this.tensors.values(), ...this.sources.values()]) tensor.dispose();
  }
}

/**
 * The metric of every row of a run; `placeOf` names a row for messages.
 * @throws LimnError `hooks/wrong-shape`, `hooks/not-finite`
 */
export async function measure(
  step: Step,
  { logits, B, T }: Run,
  { metric, logits: seen = 'last' }: PatchOptions,
  prompts: readonly number[],
  placeOf: (row: number) => string,
): Promise<ArrayLike<number>> {
  const V = logits.shape[1] as number;
  const shaped = seen === 'last' ? logits : reshape(logits, [B, T, V]);
  if ('value' in metric) {
    const values = expectTensor(metric.value(step, shaped, prompts), [B], {
      who: `the metric ${metric.name}`,
      where: `for ${B} rows`,
      details: { metric: metric.name },
    });
    return expectFinite(metric.name, await readFloats(step, values), placeOf);
  }
  const data = await readFloats(step, shaped);
  const size = data.length / B;
  const values = prompts.map((prompt, r) => metric.onHost(data.subarray(r * size, (r + 1) * size), prompt));
  return expectFinite(metric.name, values, placeOf);
}

/** Sweeps keep the values of single prompts in f32. */
function expectFinite(metric: string, values: ArrayLike<number>, placeOf: (row: number) => string): ArrayLike<number> {
  const list: readonly unknown[] = Array.from(values);
  const row = list.findIndex((value) => typeof value !== 'number' || !Number.isFinite(Math.fround(value)));
  if (row < 0) return values;
  const given = list[row];
  for (const each of list) if (each instanceof Promise) each.catch(() => undefined);
  const what = given instanceof Promise ? 'a promise' : shownValue(given);
  throw new LimnError(
    'hooks/not-finite',
    `the metric ${metric} is ${what} with ${placeOf(row)}; it must be a finite f32 number`,
    {
      details: { metric, given: what, row },
      hint:
        typeof given === 'number'
          ? 'Look for a division by zero or a logarithm of 0 in the metric, or for logits that hold NaN or infinity.'
          : 'A metric gives its number at once: it must not be async, and gives a number and not text.',
    },
  );
}

/** Prompts whose base streams and source activations fit half of the budget. @throws LimnError `memory/over-budget` */
function promptsKept({ info }: HookedModel, { base, index, site, memoryBytes }: PatchRequest): number {
  const lengths: Readonly<Record<string, number>> = {
    B: 1,
    T: base.T,
    S: base.T,
    C: info.width,
    H: info.heads,
    K: info.headWidth,
    M: info.mlpWidth,
    '1': 1,
  };
  const { axes } = parseHookName(blockHook(0, site), info);
  const places = [...axes].reduce((product, axis) => product * (lengths[axis] as number), 1);
  const bytes = 4 * (index.layer?.length ?? 0) * (base.T * info.width + places);
  if (bytes > memoryBytes) throw overBudget({ what: `Patching ${site}`, unit: 'prompt', memoryBytes }, { bytes });
  return Math.max(1, Math.floor(memoryBytes / 2 / bytes));
}

/** Some rows of a batch. */
function rowsOf({ ids, T, lengths }: TokenBatch, first: number, count: number): TokenBatch {
  return { ids: ids.slice(first * T, (first + count) * T), B: count, T, lengths: lengths.slice(first, first + count) };
}

/** A step that the caller's signal can end. */
export function openStep(model: HookedModel, { signal }: PatchOptions, label: string): Step {
  return model.gpu.step({ label, ...(signal ? { signal } : {}) });
}
