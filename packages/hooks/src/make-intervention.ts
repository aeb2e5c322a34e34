// An intervention that data describes: its spec from kind, place, options and tensors, frozen.
import type { Tensor } from '@limn/tensor';
import { describeExtent, extentOf, type Extent, type Intervention, type Json } from './intervention.js';
import type { HookName } from './names.js';

/** What an edit does where heads are told apart. */
export type ByHead = Pick<Intervention, 'readsSlot' | 'byHead'>;

/** `described` is the label but for place and extent; `options` and `tensors` are the spec's. */
export function makeIntervention(
  kind: string,
  at: HookName,
  extent: Extent,
  described: string,
  options: Record<string, Json>,
  tensors: Record<string, Tensor>,
  apply: Intervention['apply'],
  reads?: readonly HookName[],
  byHead: ByHead = {},
): Intervention {
  const where = extentOf(extent);
  const spec = Object.freeze({
    kind,
    options: Object.freeze({ at, ...options, ...(where as Record<string, Json>) }),
    tensors: Object.freeze(tensors),
  });
  return Object.freeze({
    at,
    ...where,
    ...(reads ? { reads: Object.freeze([...reads]) } : {}),
    ...byHead,
    spec,
    label: `${described} ${at}${describeExtent(extent)}`,
    apply,
  });
}
