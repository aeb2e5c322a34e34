// ActAdd (arXiv 2308.10248): what two prompts differ by at one layer, position by position, added to the front of any prompt.
import { LimnError } from '@limn/gpu';
import { tokenBatch, type HookedModel } from '@limn/hooks';
import { readFloats } from '@limn/tensor';
import { positionTable } from '../positions.js';
import { steeredPlaces, type SteerableSite, type SteeredPlace } from '../sites.js';
import type { SteeringSpec, SteeringValues } from '../steering.js';
import { vectorValues } from './vector-values.js';

/** How to add. */
export interface ActAddOptions {
  /** Default 'hook_resid_pre', as in the paper. */
  readonly site?: SteerableSite | undefined;
  /** Repeated behind the shorter of two prompts of unequal length; the paper takes the token of a space. */
  readonly padId?: number | undefined;
  /** Tokens at the start that are left alone: 1 where prompts begin with BOS. Default 0. */
  readonly skip?: number | undefined;
}

/**
 * v_t = h_t(x⁺) − h_t(x⁻) of one layer, added at positions counted from the start of the prompt, and not while generating: two forward
 * passes and no learning. Prompts shorter than the pair take the front of it, longer ones are left alone behind it. Strength is the paper's c.
 * @throws LimnError `data/steering-length` for prompts of unequal length without `padId`; `usage/steering-site`, `usage/steering-layer`,
 * `tokens/…`; as `positionTable`
 */
export async function actAdd(
  model: HookedModel,
  plus: readonly number[],
  minus: readonly number[],
  layer: number,
  { site = 'hook_resid_pre', padId, skip = 0 }: ActAddOptions = {},
): Promise<SteeringValues> {
  if (plus.length !== minus.length && padId === undefined)
    throw new LimnError(
      'data/steering-length',
      `The two prompts have ${plus.length} and ${minus.length} tokens; their activations are compared position by position.`,
      {
        details: { plus: plus.length, minus: minus.length },
        hint: 'Give padId, the token that fills up the shorter one (that of a space), or prompts of equal length.',
      },
    );
  const T = Math.max(plus.length, minus.length);
  const padded = (prompt: readonly number[]): number[] => [
    ...prompt,
    ...Array.from({ length: T - prompt.length }, () => padId as number),
  ];
  const spec: SteeringSpec = {
    method: { kind: 'steer-vec' },
    sites: [site],
    layers: [layer],
    positions: positionTable([{ length: T }], 'from-start', { skip }),
  };
  const [{ at, elements }] = steeredPlaces(model.info, spec) as [SteeredPlace];
  const step = model.gpu.step({ label: 'ActAdd' });
  try {
    const tokens = tokenBatch([padded(plus), padded(minus)], model.info);
    const run = model.run(step, { tokens }, { capture: [at], stopAtLayer: layer + 1 });
    const both = await readFloats(step, run.at(at));
    const half = T * elements;
    const table = Float64Array.from(
      { length: spec.positions.names.length * elements },
      (_, i) => (both[skip * elements + i] ?? 0) - (both[half + skip * elements + i] ?? 0),
    );
    return vectorValues(model, spec, new Map([[at, table]]));
  } finally {
    step.dispose();
  }
}
