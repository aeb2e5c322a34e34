// The firings of features on some rows: counted on the GPU, or read back, as lists where the activation keeps few.
import type { Step } from '@limn/gpu';
import { activeCounts, add, readFloats, readWords, slice, type Tensor } from '@limn/tensor';
import type { FeatureEncoder } from '../encoder.js';
import { partsOf, rowsPerBinding } from '../row-parts.js';
import { firedRows } from '../training-state.js';
import type { FiringRecords } from './firing-records.js';

/** Rows in parts whose [N, F] activations a binding takes; all at once where no such matrix is made. */
function inParts({ gpu, config }: FeatureEncoder, x: Tensor): (readonly [start: number, count: number])[] {
  const rows = x.shape[0] as number;
  return partsOf(rows, config.activation.kind === 'top-k' ? rows : rowsPerBinding(gpu, config.features));
}

/** In how many rows of x [N, I] each feature fires, f32 [F]. */
export function countFirings(step: Step, dictionary: FeatureEncoder, x: Tensor): Tensor {
  return inParts(dictionary, x)
    .map(([start, count]) => {
      const { codes, a } = dictionary.activations(step, slice(step, x, 0, start, count));
      return codes ? activeCounts(step, codes) : firedRows(step, a);
    })
    .reduce((sum, part) => add(step, sum, part));
}

/** Records the encoding of x [N, I]; what it gives reads the firings and adds them to records, row n as token `tokens[n]`. */
export function recordFirings(
  step: Step,
  dictionary: FeatureEncoder,
  x: Tensor,
): (records: FiringRecords, tokens: readonly number[]) => Promise<void> {
  const parts = inParts(dictionary, x).map(([start, count]) => {
    const { codes, a } = dictionary.activations(step, slice(step, x, 0, start, count));
    return { start, count, codes, a };
  });
  return async (records, tokens) => {
    const read = parts.map(async ({ codes, a }) =>
      codes
        ? Promise.all([
            readWords(step, codes.entryRows),
            readWords(step, codes.columns),
            readFloats(step, codes.values),
          ])
        : readFloats(step, a as Tensor),
    );
    for (const [i, found] of (await Promise.all(read)).entries()) {
      const { start, count } = parts[i] as (typeof parts)[number];
      const own = tokens.slice(start, start + count);
      if (found instanceof Float32Array) records.add(found, own);
      else records.addEntries(...found, own);
    }
  };
}
