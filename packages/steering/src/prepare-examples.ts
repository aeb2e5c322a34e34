// Examples with what the untouched model says behind each, computed once.
import type { HookedModel, RunControls } from '@limn/hooks';
import type { SteeringExample } from './examples.js';
import { referenceRows } from './reference-rows.js';
import type { PreparedExample } from './training-step.js';

/** The examples whose Δ is to change, then those whose Δ is to stay. */
export async function prepareExamples(
  model: HookedModel,
  examples: readonly SteeringExample[],
  retained: readonly SteeringExample[],
  controls: RunControls,
): Promise<PreparedExample[]> {
  const all = [...examples, ...retained];
  const rows = await referenceRows(
    model,
    all.map(({ prompt }) => prompt),
    controls,
  );
  return all.map((example, i) => ({
    ...example,
    reference: rows[i] as Float32Array,
    retained: i >= examples.length,
  }));
}
