// What the untouched model holds at some places behind the last token of every prompt.
import {
  inBatches,
  lastRows,
  settleControls,
  tokenBatch,
  type HookedModel,
  type HookName,
  type RunControls,
} from '@limn/hooks';
import { fromData, gatherRows, readFloats, reshape } from '@limn/tensor';
import type { SteeredPlace } from '../sites.js';

/**
 * Activations [elements] at the last token, by place, in the order of the prompts. The model runs no further than the last of the places.
 * @throws LimnError `tokens/…`, `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function lastActivations(
  model: HookedModel,
  prompts: readonly (readonly number[])[],
  places: readonly SteeredPlace[],
  controls: RunControls,
): Promise<ReadonlyMap<HookName, readonly Float32Array[]>> {
  const found = new Map(places.map(({ at }) => [at, [] as Float32Array[]]));
  const stopAtLayer = Math.max(...places.map(({ layer }) => layer)) + 1;
  await inBatches(
    model.gpu,
    prompts,
    {
      what: 'Reading activations',
      unit: 'prompt',
      label: 'activations',
      lengthOf: (prompt) => prompt.length,
      record: (step, batch) => {
        const tokens = tokenBatch(batch, model.info);
        const run = model.run(step, { tokens }, { capture: places.map(({ at }) => at), stopAtLayer });
        const rows = fromData(step, lastRows(tokens.lengths, tokens.T), [tokens.B]);
        return places.map(({ at, elements }) =>
          gatherRows(step, reshape(run.at(at), [tokens.B * tokens.T, elements]), rows),
        );
      },
      take: async (step, recorded, order) => {
        const read = await Promise.all(recorded.map((rows) => readFloats(step, rows)));
        read.forEach((values, p) => {
          const { at, elements } = places[p] as SteeredPlace;
          const own = found.get(at) as Float32Array[];
          order.forEach((prompt, i) => (own[prompt] = values.slice(i * elements, (i + 1) * elements)));
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return found;
}

/** Adds `weight` times a vector to a sum in float64. */
export function addTo(sum: Float64Array, vector: ArrayLike<number>, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + weight * (vector[i] as number);
}
