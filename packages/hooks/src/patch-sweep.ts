// Activation patching as a sweep: value[i] = metric(base run with the activation at place i replaced by the source run's); many places a pass.
import { LimnError, throwIfAborted, type Step } from '@limn/gpu';
import { expand, fromData, reshape, selectRows, type Tensor } from '@limn/tensor';
import { intervene } from './edits.js';
import type { HostArray } from './host-array.js';
import type { HookedModel, Run } from './model.js';
import { blockHook, parseHookName, type BlockSite } from './names.js';
import { placeMask } from './patch-mask.js';
import type { PatchMetric } from './patch-metric.js';
import {
  changesNothing,
  checkPatchRequest,
  placesOf,
  siteAxes,
  type PatchAxis,
  type PatchOptions,
  type PatchPlace,
  type PatchRequest,
} from './patch-request.js';
import { recordWithin } from './record-within.js';
import type { ShortBlockName } from './short-names.js';
import { measure, openStep, UnpatchedRuns } from './unpatched-runs.js';

/** What a sweep found. */
export interface PatchSweep {
  readonly site: BlockSite;
  readonly axes: readonly PatchAxis[];
  /** What each axis counts: layers, positions, heads. */
  readonly index: Readonly<Partial<Record<PatchAxis, readonly number[]>>>;
  /**
   * The metric of every patch, its mean over the prompts, shaped as `axes`; as shares of the way with `normalise`. A prompt without the
   * place counts as unpatched.
   */
  readonly values: HostArray<Float64Array>;
  /** The metric of every patch and prompt, [...axes, B]. */
  readonly perPrompt: HostArray;
  /** The metric's mean without any patch. */
  readonly clean: number;
  readonly corrupted: number;
  readonly direction: 'denoise' | 'noise';
  readonly normalised: boolean;
  readonly metric: string;
}

/** Where to patch. */
export interface PatchTarget {
  /** A site of every block: `resid_pre`, `z`, `q`, `pattern`, … */
  readonly site: ShortBlockName | BlockSite;
  /** What to go over, `layer` first; places along axes that are left out are patched together. */
  readonly axes: readonly PatchAxis[];
}

/**
 * Patches one place after another and measures what it does; places of one layer are rows of one forward pass, which starts at
 * that layer. Two runs without patches come first. TransformerLens's `generic_activation_patch`.
 * @throws LimnError `hooks/bad-pairs`, `hooks/bad-axes`, `hooks/bad-option`, `hooks/not-finite` (a metric that is NaN, infinite or no
 * number, with its place), `hooks/zero-difference` (`normalise` where clean and corrupted measure the same),
 * `hooks/…`, `tokens/…`, `usage/batch-size`, `usage/memory`, `memory/over-budget`, `gpu/…`; AbortedError
 */
export async function genericActivationPatch(
  model: HookedModel,
  options: PatchTarget & PatchOptions,
): Promise<PatchSweep> {
  const { metric, signal, onProgress, normalise = false } = options;
  const what = `Patching ${options.site}`;
  throwIfAborted(signal, what);
  const request = checkPatchRequest(model, options.site, options.axes, options);
  const { base, index, axes, direction } = request;
  const layers = index.layer ?? [];
  const places = placesOf(request);
  // Where nothing can change, nothing is run, and the value of no patch stands.
  const run = places.flatMap((place, at) => (changesNothing(place) ? [] : [{ place, at }]));
  const { B } = base;
  const perPrompt = new Float32Array(layers.length * places.length * B);
  const unpatched = { base: new Float32Array(B), source: new Float32Array(B) };
  const sweep: Sweep = { model, options, request, places: run.map(({ place }) => place) };
  const total = layers.length * run.length * B;
  let done = 0;
  let way = 1;
  for (let first = 0; first < B;) {
    const runs = await UnpatchedRuns.of(model, options, request, first);
    try {
      const { count } = runs;
      for (const side of ['base', 'source'] as const) unpatched[side].set(runs.values[side], first);
      if (normalise && first + count === B) way = wayBetween(unpatched, metric);
      for (let patch = 0; patch < layers.length * places.length; patch++)
        perPrompt.set(runs.values.base, patch * B + first);
      for (const [i, layer] of layers.entries())
        for (let start = 0; start < run.length;) {
          throwIfAborted(signal, what);
          const rows = await patchedRows(sweep, runs, layer, start);
          Array.from(rows).forEach((value, r) => {
            const { at } = run[start + Math.floor(r / count)] as { at: number };
            const patch = i * places.length + at;
            perPrompt[patch * B + first + (r % count)] = value;
          });
          start += rows.length / count;
          done += rows.length;
          onProgress?.({ unit: 'patched rows', done, total });
        }
      first += count;
    } finally {
      runs.dispose();
    }
  }
  const shape = axes.map((axis) => index[axis]?.length ?? 0);
  const means = Float64Array.from({ length: perPrompt.length / B }, (_, patch) =>
    meanOf(perPrompt.subarray(patch * B, (patch + 1) * B)),
  );
  const [from, to] = [meanOf(unpatched.base), meanOf(unpatched.source)];
  return {
    site: request.site,
    axes,
    index,
    values: { shape, data: normalise ? means.map((value) => (value - from) / way) : means },
    perPrompt: { shape: [...shape, B], data: perPrompt },
    clean: direction === 'denoise' ? to : from,
    corrupted: direction === 'denoise' ? from : to,
    direction,
    normalised: normalise,
    metric: metric.name,
  };
}

/** What stays the same through a sweep. */
interface Sweep {
  readonly model: HookedModel;
  readonly options: PatchOptions;
  readonly request: PatchRequest;
  readonly places: readonly PatchPlace[];
}

/** The metric of as many patches from place `start` of one layer as fit one pass: place by place, prompt by prompt. */
async function patchedRows(
  sweep: Sweep,
  runs: UnpatchedRuns,
  layer: number,
  start: number,
): Promise<ArrayLike<number>> {
  const { model, options, request, places } = sweep;
  const { step, count, recorded } = recordWithin({
    what: 'Patching activations',
    unit: `patch of ${runs.count} prompts`,
    memoryBytes: request.memoryBytes,
    most: Math.min(places.length - start, Math.max(1, Math.floor(request.batchRows / runs.count))),
    open: () => openStep(model, options, 'patching'),
    record: (at, count) => patchedRun(at, sweep, runs, layer, places.slice(start, start + count)),
  });
  try {
    const prompts = Array.from({ length: count * runs.count }, (_, r) => runs.first + (r % runs.count));
    return await measure(step, recorded, options, prompts, (r) => {
      const place = Object.entries({ layer, ...places[start + Math.floor(r / runs.count)] });
      return `${place.map(([axis, at]) => `${axis} ${at}`).join(', ')} patched in prompt ${prompts[r]}`;
    });
  } finally {
    step.dispose();
  }
}

/** One pass from block `layer` on: row p·B + b is prompt b with place p patched. */
function patchedRun(
  step: Step,
  { model, request, options }: Sweep,
  runs: UnpatchedRuns,
  layer: number,
  places: readonly PatchPlace[],
): Run {
  const name = blockHook(layer, request.site);
  const { axes } = parseHookName(name, model.info);
  const patch = intervene(name, `patch ${places.length} places`, (x) => {
    const mask = placeMask(x.shape, siteAxes(axes), places);
    const patched = repeatRows(step, runs.source(name), places.length);
    // A mask of every axis chooses single numbers: rows of length 1.
    const whole = mask.shape.length === x.shape.length ? [...x.shape, 1] : x.shape;
    const chosen = selectRows(step, fromData(step, mask.data, mask.shape), reshape(patched, whole), reshape(x, whole));
    return reshape(chosen, x.shape);
  });
  const lengths = Array.from({ length: places.length }, () => runs.lengths).flat();
  const resid = repeatRows(step, runs.start(layer), places.length);
  return model.run(
    step,
    { resid, layer, at: 'pre', lengths },
    { interventions: [patch], logits: options.logits ?? 'last' },
  );
}

/** [B, …] → [times·B, …]. */
function repeatRows(step: Step, x: Tensor, times: number): Tensor {
  const [B, ...rest] = x.shape as [number, ...number[]];
  return reshape(expand(step, reshape(x, [1, B, ...rest]), [times, B, ...rest]), [times * B, ...rest]);
}

function meanOf(values: ArrayLike<number>): number {
  return Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;
}

/** Source minus base. @throws LimnError `hooks/zero-difference` */
function wayBetween(
  { base, source }: { base: ArrayLike<number>; source: ArrayLike<number> },
  { name }: PatchMetric,
): number {
  const way = meanOf(source) - meanOf(base);
  if (Number.isFinite(way) && way !== 0) return way;
  throw new LimnError(
    'hooks/zero-difference',
    `${name} is ${meanOf(base)} for the prompts that are patched and ${meanOf(source)} for the others: there is no way between them to take shares of`,
    {
      details: { metric: name, base: meanOf(base), source: meanOf(source) },
      hint: 'Leave out normalise, or take prompts that differ under this metric.',
    },
  );
}
