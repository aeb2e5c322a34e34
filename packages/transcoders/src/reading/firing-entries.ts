// Activations read back as lists without zeros: codes as they come, wide rows through a list of their largest, narrow ones whole.
import type { Step } from '@limn/gpu';
import { readFloats, readWords, selectTopK, type SparseCodes, type Tensor } from '@limn/tensor';
import type { FeatureEncoder } from '../encoder.js';
import { partsOf, rowRange, rowsPerBinding } from '../row-parts.js';

/** What fires on some rows. Entries of row n are rowStarts[n] ≤ e < rowStarts[n + 1], by rising column. */
export interface Entries {
  /** [N + 1] */
  readonly rowStarts: Uint32Array;
  readonly columns: Uint32Array;
  /** > 0 */
  readonly values: Float32Array;
}

/** Recorded activations of some rows. */
export interface RecordedEntries {
  /** By rising row, in parts; undefined where a row fires more features than are listed. */
  read(step: Step): Promise<readonly Entries[] | undefined>;
}

/** Rows this many times as wide as a list are listed: 8 bytes an entry against 4 a feature. */
const WORTH_LISTING = 4;

/** Records the activations of x [N, I]; where they come dense, at most `listed` of a row, if rows are wide. */
export function recordEntries(step: Step, encoder: FeatureEncoder, x: Tensor, listed: number): RecordedEntries {
  const { features: F, activation } = encoder.config;
  const { codes } = activation.kind === 'top-k' ? encoder.activations(step, x) : {};
  if (codes) return { read: async (at) => [await readCodes(at, codes)] };
  const parts = partsOf(x.shape[0] as number, rowsPerBinding(encoder.gpu, F)).map(([start, count]) =>
    encoder.encode(step, rowRange(step, x, start, count)),
  );
  if (F < WORTH_LISTING * listed) return recordDense(parts);
  const lists = parts.map((part) => selectTopK(step, part, { k: listed }));
  return {
    read: async (at) => {
      const read = await Promise.all(lists.map((list) => readCodes(at, list)));
      return read.some(({ rowStarts }) => hasRowOf(rowStarts, listed)) ? undefined : read;
    },
  };
}

/** Activations in dense parts [rows, F]. */
export function recordDense(parts: readonly Tensor[]): RecordedEntries {
  return {
    read: (step) =>
      Promise.all(parts.map(async (part) => entriesOf(await readFloats(step, part), part.shape[1] as number))),
  };
}

const hasRowOf = (rowStarts: Uint32Array, most: number): boolean =>
  rowStarts.some((start, n) => n > 0 && start - (rowStarts[n - 1] as number) >= most);

async function readCodes(step: Step, codes: SparseCodes): Promise<Entries> {
  const [rowStarts, columns, values] = await Promise.all([
    readWords(step, codes.rowStarts),
    readWords(step, codes.columns),
    readFloats(step, codes.values),
  ]);
  return { rowStarts, columns, values };
}

/** What is above 0 in a [N, F]. */
function entriesOf(a: Float32Array, F: number): Entries {
  let total = 0;
  for (let i = 0; i < a.length; i++) if ((a[i] as number) > 0) total++;
  const [columns, values] = [new Uint32Array(total), new Float32Array(total)];
  const rowStarts = new Uint32Array(a.length / F + 1);
  let count = 0;
  for (let row = 0; row < rowStarts.length - 1; row++) {
    for (let f = 0; f < F; f++) {
      const value = a[row * F + f] as number;
      if (!(value > 0)) continue;
      columns[count] = f;
      values[count++] = value;
    }
    rowStarts[row + 1] = count;
  }
  return { rowStarts, columns, values };
}
