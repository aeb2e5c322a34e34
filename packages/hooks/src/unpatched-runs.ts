// The two runs without patches behind a sweep: their metric, the base streams that patched passes start from, and what is patched in.
import { LimnError, type Step } from '@limn/gpu';
import { detach, keep, readFloats, reshape, type Tensor } from '@limn/tensor';
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
    const { base, source, index, site, batchRows, memoryBytes } = request;
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
      const prompts = Array.from({ length: count }, (_, b) => first + b);
      const [ofBase, ofSource] = await Promise.all([
        measure(step, baseRun, options, prompts),
        measure(step, sourceRun, options, prompts),
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

/** The metric of every row of a run. */
export async function measure(
  step: Step,
  { logits, B, T }: Run,
  { metric, logits: seen = 'last' }: PatchOptions,
  prompts: readonly number[],
): Promise<ArrayLike<number>> {
  const V = logits.shape[1] as number;
  const shaped = seen === 'last' ? logits : reshape(logits, [B, T, V]);
  if ('value' in metric) {
    const values = metric.value(step, shaped, prompts);
    if (values.shape.join() === `${B}`) return readFloats(step, values);
    throw new LimnError(
      'hooks/wrong-shape',
      `the metric ${metric.name} gave shape [${values.shape.join(', ')}] for ${B} rows; expected [${B}]`,
      { details: { metric: metric.name, given: values.shape, expected: [B] } },
    );
  }
  const data = await readFloats(step, shaped);
  const size = data.length / B;
  return prompts.map((prompt, r) => metric.onHost(data.subarray(r * size, (r + 1) * size), prompt));
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
