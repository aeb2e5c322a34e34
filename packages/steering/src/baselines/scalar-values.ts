// Scalars of chosen cells as values to steer with, all others 0.
import type { HookedModel, HookName } from '@limn/hooks';
import type { SteeringCell } from '../minimality.js';
import { steeredPlaces } from '../sites.js';
import type { SteeringSpec, SteeringValues } from '../steering.js';

/** Where scalars are: a spec of ActivScalar, γ(t) = 1 + t, without its method. */
export type ScalarPlacement = Omit<SteeringSpec, 'method'>;

/** The spec of ActivScalar at some places. */
export function scalarSpec({ sites, layers, positions }: ScalarPlacement): SteeringSpec {
  return { method: { kind: 'activ-scalar' }, sites, ...(layers === undefined ? {} : { layers }), positions };
}

/** Values that are 0 but at some cells. */
export function scalarValues(
  { info }: Pick<HookedModel, 'info'>,
  placement: ScalarPlacement,
  chosen: readonly { readonly cell: Pick<SteeringCell, 'place' | 'slot' | 'unit'>; readonly alpha: number }[],
): SteeringValues {
  const spec = scalarSpec(placement);
  const P = spec.positions.names.length;
  const tables = new Map<HookName, Float32Array>(
    steeredPlaces(info, spec).map(({ at, units }) => [at, new Float32Array(P * units)]),
  );
  for (const {
    cell: { place, slot, unit },
    alpha,
  } of chosen) {
    const table = tables.get(place.at);
    if (table) table[slot * place.units + unit] = alpha;
  }
  return {
    spec,
    fingerprint: info.fingerprint,
    places: new Map([...tables].map(([at, table]) => [at, new Map([['alpha', table] as const])])),
  };
}
