// What is asked of a patching sweep, checked before any work: prompts, site, axes, and the patches as places along them.
import { LimnError, shownValue } from '@limn/gpu';
import { chosenWord } from './chosen-word.js';
import type { HookedModel } from './model.js';
import { blockHook, parseHookName, type BlockSite } from './names.js';
import { checkMetric, type PatchMetric } from './patch-metric.js';
import { DEFAULT_MEMORY_BYTES } from './record-within.js';
import { asTokenBatch, type Tokens } from './prompts.js';
import { blockSiteOf, type ShortBlockName } from './short-names.js';
import type { TokenBatch } from './token-batch.js';

/** What a sweep may go over; `layer` first. A query position is `position` of a vector and `destination` of a pattern. */
export type PatchAxis = 'layer' | 'position' | 'head' | 'destination' | 'source';

/** Done so far, and in all: patches times prompts. */
export interface PatchProgress {
  readonly unit: 'patched rows';
  readonly done: number;
  readonly total: number;
}

/** What every sweep takes. */
export interface PatchOptions {
  /**
   * Prompts that show the behaviour, and as many others that do not, each as long as its partner. Pairs may differ in length: a place
   * behind the end of a pair changes nothing for it, so its value there is that of no patch, and counts in the mean.
   */
  readonly clean: Tokens;
  readonly corrupted: Tokens;
  readonly metric: PatchMetric;
  /** `denoise` (default): clean activations into corrupted runs. `noise`: corrupted activations into clean runs. */
  readonly direction?: 'denoise' | 'noise';
  /** Values as shares of the way: 0 is the run that is patched, 1 the run that the activations come from. Default false. */
  readonly normalise?: boolean;
  /** Default: all. */
  readonly layers?: readonly number[];
  /** Default: all. For patterns, query positions. Refused where the sweep does not go over positions. */
  readonly positions?: readonly number[];
  /** Default: all. Refused where the sweep does not go over heads. */
  readonly heads?: readonly number[];
  /** What the metric sees: the logits at each prompt's last token (default), or at every position, where those at padding mean nothing. */
  readonly logits?: 'last' | 'all';
  /** Most rows in one forward pass, patches times prompts. Values do not depend on it beyond f32 round-off. Default 64. */
  readonly batchRows?: number;
  /** GPU bytes for intermediate values, beside the weights. Default 512 MiB. */
  readonly memoryBytes?: number;
  readonly signal?: AbortSignal;
  /** Told after every pass, for a progress bar. */
  readonly onProgress?: (progress: PatchProgress) => void;
}

/** A checked request. */
export interface PatchRequest {
  readonly site: BlockSite;
  /** The run that is patched, and the run that the activations come from. */
  readonly base: TokenBatch;
  readonly source: TokenBatch;
  readonly axes: readonly PatchAxis[];
  /** What each axis counts. */
  readonly index: Readonly<Partial<Record<PatchAxis, readonly number[]>>>;
  readonly direction: 'denoise' | 'noise';
  readonly batchRows: number;
  readonly memoryBytes: number;
}

/** One patch: its place along each axis but the layer. */
export type PatchPlace = Readonly<Partial<Record<PatchAxis, number>>>;

/**
 * Checks a sweep over `axes` at a site.
 * @throws LimnError `hooks/unknown-site`, `hooks/bad-axes`, `hooks/bad-option`, `hooks/bad-pairs`, `hooks/bad-extent`, `hooks/bad-layer`,
 * `hooks/bad-rows`, `tokens/…`, `usage/batch-size`, `usage/memory`
 */
export function checkPatchRequest(
  model: HookedModel,
  site: ShortBlockName | BlockSite,
  axes: readonly PatchAxis[],
  options: PatchOptions,
): PatchRequest {
  const { info } = model;
  const parsed = parseHookName(blockHook(0, blockSiteOf(site) ?? (site as BlockSite)), info);
  checkAxes(parsed.name, parsed.axes, axes);
  checkApplies(parsed.name, parsed.axes, axes, options);
  const direction = chosenWord('direction', options.direction ?? 'denoise', ['denoise', 'noise']);
  chosenWord('logits', options.logits ?? 'last', ['last', 'all']);
  checkMetric(options.metric);
  const [clean, corrupted] = [asTokenBatch(options.clean, model), asTokenBatch(options.corrupted, model)];
  checkLengths(clean, corrupted);
  const denoise = direction === 'denoise';
  const { batchRows = 64, memoryBytes = DEFAULT_MEMORY_BYTES } = options;
  if (!Number.isInteger(batchRows) || batchRows < 1)
    throw new LimnError('usage/batch-size', `batchRows is a whole number of at least 1; given ${batchRows}.`);
  if (!(memoryBytes > 0))
    throw new LimnError('usage/memory', `The memory budget is a positive number of bytes; given ${memoryBytes}.`);
  if ('check' in options.metric) options.metric.check?.(info, clean.B);
  const positions = chosen('positions', options.positions, clean.T, 'hooks/bad-extent');
  const everything: Readonly<Record<PatchAxis, readonly number[]>> = {
    layer: chosen('layers', options.layers, info.layers, 'hooks/bad-layer'),
    head: chosen('heads', options.heads, info.heads, 'hooks/bad-extent'),
    position: positions,
    destination: positions,
    source: Array.from({ length: clean.T }, (_, position) => position),
  };
  return {
    site: parsed.site as BlockSite,
    base: denoise ? corrupted : clean,
    source: denoise ? clean : corrupted,
    axes,
    index: Object.fromEntries(axes.map((axis) => [axis, everything[axis]])),
    direction,
    batchRows,
    memoryBytes,
  };
}

/** Every combination of the axes but the layer, the last one running fastest. */
export function placesOf({ axes, index }: Pick<PatchRequest, 'axes' | 'index'>): PatchPlace[] {
  return axes
    .slice(1)
    .reduce<PatchPlace[]>(
      (places, axis) => places.flatMap((place) => (index[axis] ?? []).map((at) => ({ ...place, [axis]: at }))),
      [{}],
    );
}

/** Attention is causal: what a query gives to a later key is 0 in every run, and its score is never looked at. */
export function changesNothing({ destination, source }: PatchPlace): boolean {
  return destination !== undefined && source !== undefined && source > destination;
}

/** Places along the axes of a site's tensor: axes 1, 2, 3 of [B, T, H, …] or of [B, H, T, S]. */
export function siteAxes(letters: string): readonly PatchAxis[] {
  if (letters === 'BHTS') return ['head', 'destination', 'source'];
  return letters[2] === 'H' ? ['position', 'head'] : ['position'];
}

function checkAxes(name: string, letters: string, axes: readonly PatchAxis[]): void {
  const allowed = siteAxes(letters);
  const given = Array.isArray(axes) ? axes : [];
  const wrong = given.slice(1).find((axis) => !allowed.includes(axis));
  if (given[0] === 'layer' && wrong === undefined && new Set(given).size === given.length) return;
  throw new LimnError(
    'hooks/bad-axes',
    `a sweep over ${given.join(', ') || shownValue(axes)} cannot be made at ${name}`,
    {
      details: { site: name, axes, allowed: ['layer', ...allowed] },
      hint: `Give 'layer' first, then any of ${allowed.join(', ')}, each once.`,
    },
  );
}

/** A choice among places that a sweep does not tell apart would choose nothing. */
function checkApplies(name: string, letters: string, axes: readonly PatchAxis[], options: PatchOptions): void {
  const position: PatchAxis = letters === 'BHTS' ? 'destination' : 'position';
  for (const [option, axis] of [
    ['positions', position],
    ['heads', 'head'],
  ] as const) {
    if (options[option] === undefined || axes.includes(axis)) continue;
    const over = siteAxes(letters).includes(axis) ? `, or go over '${axis}' as well` : '';
    throw new LimnError(
      'hooks/bad-axes',
      `${option} were given, but the sweep of ${name} goes over ${axes.join(', ')} and patches ${over ? `all its ${option} together` : 'no heads'}`,
      { details: { site: name, axes, option }, hint: `Leave out ${option}${over}.` },
    );
  }
}

function checkLengths(clean: TokenBatch, corrupted: TokenBatch): void {
  const row = clean.lengths.findIndex((length, b) => length !== corrupted.lengths[b]);
  if (clean.B === corrupted.B && row < 0) return;
  const problem =
    clean.B === corrupted.B
      ? `prompt ${row} has ${clean.lengths[row]} tokens clean and ${corrupted.lengths[row]} corrupted`
      : `there are ${clean.B} clean prompts and ${corrupted.B} corrupted ones`;
  throw new LimnError('hooks/bad-pairs', problem, {
    details: { clean: clean.lengths, corrupted: corrupted.lengths },
    hint: 'Patching puts an activation where it was: give pairs of the same length, token for token.',
  });
}

function chosen(what: string, given: readonly number[] | undefined, count: number, code: string): readonly number[] {
  if (given === undefined) return Array.from({ length: count }, (_, i) => i);
  const list = typeof given === 'object' && given !== null ? Array.from(given) : [];
  const fits = list.every((each) => Number.isInteger(each) && each >= 0 && each < count);
  if (fits && list.length > 0 && new Set(list).size === list.length) return list;
  throw new LimnError(
    code,
    `${what} are ${Array.isArray(given) ? `[${given.join(', ')}]` : shownValue(given)}; allowed are whole numbers from 0 to ${count - 1}, each once`,
    {
      details: { what, given, count },
    },
  );
}
