// One vector per place as values to steer with: where it is put, and how.
import type { HookedModel, HookName } from '@limn/hooks';
import type { PositionTable } from '../positions.js';
import type { SteerableSite } from '../sites.js';
import type { SteeringSpec, SteeringValues } from '../steering.js';

/** Where one vector per layer is read off and added. */
export interface VectorPlacement {
  /** Default 'hook_resid_pre': the stream that enters the block. */
  readonly site?: SteerableSite | undefined;
  readonly layers: readonly number[];
  /**
   * 'last': at the last token of the prompt, where the answer is read off. 'all': at every token but the first `skip`, generated ones too; with
   * the option `phase: 'generated'` of `interventions` at those behind the prompt only.
   */
  readonly positions?: 'last' | 'all' | undefined;
  /** Tokens at the start that 'all' leaves alone: 1 where prompts begin with BOS. Default 0. */
  readonly skip?: number | undefined;
}

/** The spec of one vector per layer. */
export function vectorSpec(
  { site = 'hook_resid_pre', layers, positions, skip = 0 }: VectorPlacement,
  byDefault: 'last' | 'all',
): SteeringSpec {
  const table: PositionTable =
    (positions ?? byDefault) === 'last'
      ? { mode: 'from-end', names: ['-1'], skip: 0 }
      : { mode: 'none', names: ['all'], skip };
  return { method: { kind: 'steer-vec' }, sites: [site], layers, positions: table };
}

/** Values from one table [positions, elements] per place. */
export function vectorValues(
  model: Pick<HookedModel, 'info'>,
  spec: SteeringSpec,
  tables: ReadonlyMap<HookName, Float64Array | Float32Array>,
): SteeringValues {
  return {
    spec,
    fingerprint: model.info.fingerprint,
    places: new Map([...tables].map(([at, table]) => [at, new Map([['vector', Float32Array.from(table)] as const])])),
  };
}
