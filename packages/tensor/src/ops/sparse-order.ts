// The entries of sparse codes by feature, each feature's by rising row: where sums over the rows of a feature read, in an order that never changes.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step, type Storage } from '@limn/gpu';
import { groupsOf, perElement } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { scan } from './scan.js';
import type { SparseCodes } from './sparse-codes.js';

const countKernel = defineKernel(shaders.sparseCount, { grid: perElement, work: (u) => 2 * u.size });
const markKernel = defineKernel(shaders.sparseMark, { grid: perElement, work: (u) => 4 * u.size });
const prefixKernel = defineKernel(shaders.sparsePrefix, {
  grid: (u, { WG }) => groupsOf(Math.ceil(u.features / WG)),
  work: (u) => 4 * u.blocks * u.features,
});
const placeKernel = defineKernel(shaders.sparsePlace, { grid: perElement, work: (u) => 8 * u.size });

/** Rows to a word of marks. */
const BLOCK = 32;
/** Bytes of marks at a time; what has more rows is gone through in groups of them. */
const MARK_BYTES = 32 * 2 ** 20;

/** Entries by feature. */
export interface FeatureOrder {
  /** u32 [F + 1]: where each feature's entries begin. */
  readonly starts: Tensor;
  /** u32 [F] */
  readonly counts: Tensor;
  /** u32 [capacity, 2]: entry and row. */
  readonly order: Tensor;
}

type Entries = Pick<SparseCodes, 'rows' | 'features' | 'capacity' | 'columns' | 'entryRows'>;

/** Made once per step, however many gradients need them: by the memory of the columns. */
const counted = new WeakMap<Storage, { step: Step; counts: Tensor }>();
const ordered = new WeakMap<Storage, { step: Step; order: FeatureOrder }>();

/** How many entries each feature has, u32 [F]. */
export function featureCounts(step: Step, { features, capacity, columns }: Entries): Tensor {
  const known = counted.get(columns.storage);
  if (known?.step === step) return known.counts;
  const counts = allocate(step, [features], 'entries per feature', 'u32');
  step.clear(counts.storage);
  step.dispatch(countKernel, { columns: columns.storage, counts: counts.storage }, { size: capacity, features });
  counted.set(columns.storage, { step, counts });
  return counts;
}

/** Count, scan, and a place for every entry: those of its feature in earlier rows are counted by bits, a word for 32 rows. */
export function featureOrder(step: Step, entries: Entries, markBytes = MARK_BYTES): FeatureOrder {
  const { rows, features, capacity, columns, entryRows } = entries;
  const known = ordered.get(columns.storage);
  if (known?.step === step) return known.order;
  const counts = featureCounts(step, entries);
  const starts = scan(step, counts, 'feature starts');
  const cursor = allocate(step, [features], 'next place per feature', 'u32');
  step.copy(starts.storage, cursor.storage, { byteLength: 4 * features });
  const order = allocate(step, [capacity, 2], 'entries by feature', 'u32');
  // Places behind the last entry are never read, but defined.
  step.clear(order.storage);
  const group = BLOCK * Math.max(1, Math.floor(markBytes / (4 * features)));
  for (let first = 0; first < rows; first += group) {
    const end = Math.min(first + group, rows);
    const blocks = Math.ceil((end - first) / BLOCK);
    const marks = allocate(step, [blocks, features], 'marked rows', 'u32');
    const before = allocate(step, [blocks, features], 'places before', 'u32');
    step.clear(marks.storage);
    const lists = { entry_rows: entryRows.storage, columns: columns.storage };
    const range = { size: capacity, features, first, end };
    step.dispatch(markKernel, { ...lists, marks: marks.storage }, range);
    step.dispatch(
      prefixKernel,
      { marks: marks.storage, before: before.storage, cursor: cursor.storage },
      { blocks, features },
    );
    step.dispatch(placeKernel, { ...lists, marks: marks.storage, before: before.storage, order: order.storage }, range);
  }
  const made = { starts, counts, order };
  ordered.set(columns.storage, { step, order: made });
  return made;
}
