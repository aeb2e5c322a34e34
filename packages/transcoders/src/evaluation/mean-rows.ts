// Means of activations over tokens: what ablation puts in an MLP's place, and what FVU is centred at.
import { inBatches, tokenBatch, type HookedModel, type HookName, type RunControls } from '@limn/hooks';
import { fromData, gatherRows, readFloats, reshape, sum, type Tensor } from '@limn/tensor';
import { keptRows } from '../training/token-source.js';

/** Sequences of one length class at a time, with bounds that are settled. */
export type SettledControls = RunControls & { readonly batchSize: number; readonly memoryBytes: number };

/**
 * Mean rows at some sites over the tokens at positions ≥ `skip`, summed in float64 over batches.
 * @throws LimnError `memory/over-budget`; AbortedError
 */
export async function meanRows(
  model: HookedModel,
  sequences: readonly ArrayLike<number>[],
  sites: readonly HookName[],
  { skip, ...controls }: SettledControls & { readonly skip: number },
): Promise<ReadonlyMap<HookName, Float32Array>> {
  const sums = new Map<HookName, Float64Array>();
  let rows = 0;
  const stopAtLayer = Math.max(...sites.map((site) => Number(/^blocks\.(\d+)/.exec(site)?.[1]))) + 1;
  await inBatches(
    model.gpu,
    sequences,
    {
      what: 'Means of activations',
      unit: 'sequence',
      label: 'means of activations',
      lengthOf: ({ length }) => length,
      record: (step, batch) => {
        const tokens = tokenBatch(batch, model.info);
        const run = model.run(step, { tokens }, { capture: sites, logits: 'none', stopAtLayer });
        const kept = keptRows(tokens.lengths, tokens.T, skip);
        const ids = fromData(step, kept, [kept.length], { label: 'kept rows' });
        return {
          kept: kept.length,
          at: sites.map((site) => sum(step, gatherRows(step, flat(run.at(site)), ids), { axes: 0 })),
        };
      },
      take: async (step, { kept, at }) => {
        rows += kept;
        const found = await Promise.all(at.map((each) => readFloats(step, each)));
        sites.forEach((site, i) => {
          const total = sums.get(site) ?? new Float64Array((found[i] as Float32Array).length);
          (found[i] as Float32Array).forEach((value, c) => (total[c] = (total[c] as number) + value));
          sums.set(site, total);
        });
      },
    },
    controls,
  );
  return new Map([...sums].map(([site, total]) => [site, Float32Array.from(total, (value) => value / rows)]));
}

/** [..., C] as rows [N, C]. */
export const flat = (x: Tensor): Tensor => reshape(x, [x.size / (x.shape.at(-1) as number), x.shape.at(-1) as number]);
