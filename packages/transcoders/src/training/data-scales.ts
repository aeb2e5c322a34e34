// Rows brought to a common size for training, x' = s_x·x and y' = s_y·y with mean ‖x'‖ = √width, and what was learnt so brought back.
import { readFloats } from '@limn/tensor';
import { blockHook, type HookName } from '@limn/hooks';
import type { DictionaryConfig } from '../dictionary-config.js';
import type { DictionaryWeights } from '../dictionary.js';
import { meanRow } from '../initial-weights.js';
import type { ActivationStream } from './activation-stream.js';

/** Of the rows at one site. */
export interface SiteStatistics {
  /** s: √width over the mean length of a row; 1 where rows are taken as they are. */
  readonly scale: number;
  /** Mean row, unscaled, [width]. */
  readonly mean: readonly number[];
}

/** By site. */
export type RunStatistics = Readonly<Record<string, SiteStatistics>>;

/** Batches that statistics are of. */
const BATCHES = 8;

/** Statistics of a stream's first batches; it stands at its start again afterwards. */
export async function siteStatistics(stream: ActivationStream, isScaled: boolean): Promise<RunStatistics> {
  const rows = new Map<HookName, Float32Array[]>();
  // The first window is enough: the next one would need another chunk.
  for (let batch = 0; batch === 0 || (batch < BATCHES && stream.batchesLeft > 0); batch++) {
    const places = await stream.next();
    const step = stream.model.gpu.step({ label: 'statistics' });
    try {
      const read = [...stream.rows(step, places)].map(
        async ([site, tensor]) => [site, await readFloats(step, tensor)] as const,
      );
      for (const [site, values] of await Promise.all(read)) rows.set(site, [...(rows.get(site) ?? []), values]);
    } finally {
      step.dispose();
    }
  }
  stream.seek({ window: 0, batch: 0 });
  const { width } = stream.model.info;
  return Object.fromEntries(
    [...rows].map(([site, parts]) => {
      const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
      parts.reduce((at, part) => (all.set(part, at), at + part.length), 0);
      let lengths = 0;
      for (let at = 0; at < all.length; at += width) lengths += Math.hypot(...all.subarray(at, at + width));
      const scale = isScaled && lengths > 0 ? (Math.sqrt(width) * (all.length / width)) / lengths : 1;
      return [site, { scale, mean: Array.from(meanRow(all, width)) }];
    }),
  );
}

/** s_x and s_y of a dictionary. */
export function scalesOf(
  { layer, input }: DictionaryConfig,
  statistics: RunStatistics,
): { readonly x: number; readonly y: number } {
  const scaleOf = (site: HookName): number => (statistics[site] as SiteStatistics).scale;
  return { x: scaleOf(blockHook(layer, input)), y: scaleOf(blockHook(layer, 'hook_mlp_out')) };
}

/** Means of scaled rows, from which weights start. */
export function scaledMeans(
  { layer, input }: DictionaryConfig,
  statistics: RunStatistics,
): { readonly x: readonly number[]; readonly y: readonly number[] } {
  const meanOf = (site: HookName): number[] => {
    const { mean, scale } = statistics[site] as SiteStatistics;
    return mean.map((value) => value * scale);
  };
  return { x: meanOf(blockHook(layer, input)), y: meanOf(blockHook(layer, 'hook_mlp_out')) };
}

/**
 * The dictionary of unscaled rows that does what `weights` do on scaled ones: a = a' / s_y with the decoder as it is, so that
 * W_enc = W_enc'·s_x / s_y, b_enc = b_enc' / s_y, θ = θ' / s_y, b_dec = b_dec' / s_y, W_skip = W_skip'·s_x / s_y.
 */
export function unscaled(
  { input }: DictionaryConfig,
  { wEnc, bEnc, wDec, bDec, logThreshold, wSkip }: DictionaryWeights,
  { x, y }: { readonly x: number; readonly y: number },
): DictionaryWeights {
  // An SAE reads what it writes.
  const across = input === 'hook_mlp_out' ? 1 : x / y;
  const times = (values: Float32Array, factor: number): Float32Array =>
    factor === 1 ? values : values.map((value) => value * factor);
  return {
    wEnc: times(wEnc, across),
    bEnc: times(bEnc, 1 / y),
    wDec,
    bDec: times(bDec, 1 / y),
    ...(logThreshold
      ? { logThreshold: y === 1 ? logThreshold : logThreshold.map((value) => value - Math.log(y)) }
      : {}),
    ...(wSkip ? { wSkip: times(wSkip, across) } : {}),
  };
}
