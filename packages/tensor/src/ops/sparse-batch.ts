// The k · N largest positive of all N rows together, tile by tile: the best so far compete with each tile again, so that h is never whole.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step, type Storage } from '@limn/gpu';
import { groupsOf, perElement, perRow } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { scan } from './scan.js';
import { listEntries, type SelectionForm, type SelectionTile, type Selector } from './sparse-select.js';

/** Candidates that one workgroup counts, in whole rows. */
const EACH = 32_768;
/** Digits of a key, and their counts; as in prelude/digits.wgsl. */
const ROUNDS = 3;
const BINS = 2048;

const histogramKernel = defineKernel(shaders.dictionaryHistogram, {
  ...perRow,
  grid: (u) => groupsOf(Math.ceil(u.rows / u.each)),
  work: (u) => 4 * u.rows * u.features,
});
const digitKernel = defineKernel(shaders.dictionaryDigit, { ...perRow, grid: () => [1, 1, 1], work: () => 4 * BINS });
const rowCountsKernel = defineKernel(shaders.dictionaryRowCounts, {
  ...perRow,
  work: (u) => 4 * u.rows * u.features,
});
const grantKernel = defineKernel(shaders.dictionaryGrant, { grid: perElement, work: (u) => 4 * u.size });
const compactKernel = defineKernel(shaders.dictionaryCompact, { ...perRow, work: (u) => 4 * u.rows * u.features });

/** What competes: a tile of h, or the entries that are left of the tiles before. */
interface Source {
  readonly storage: Storage;
  /** Where the rows of a list begin; undefined for a tile. */
  readonly starts: Tensor | undefined;
  readonly first: number;
  readonly rows: number;
  readonly stride: number;
}

/** All rows compete with one another. */
export function selectByBatch(step: Step, form: SelectionForm): Selector {
  const { rows, features, k, allowed } = form;
  const wanted = rows * k;
  const state = allocate(step, [2], 'batch key', 'u32');
  const histogram = allocate(step, [BINS], 'digits counted', 'u32');
  step.clear(histogram.storage);
  step.clear(state.storage);
  let best: { picks: Tensor; starts: Tensor; rows: number } | undefined;

  const bindingsOf = ({ storage, starts }: Source) => ({
    source: storage,
    allowed: allowed?.storage ?? storage,
    list_starts: starts?.storage ?? storage,
    state: state.storage,
  });
  const take = (tile: SelectionTile): void => {
    const seen = tile.first + tile.rows;
    const sources: Source[] = [{ ...tile, storage: tile.h, starts: undefined }];
    if (best) sources.push({ storage: best.picks.storage, starts: best.starts, first: 0, rows: best.rows, stride: 1 });
    const uniformsOf = ({ rows: count, stride, starts }: Source) => ({
      rows: count,
      features,
      stride,
      listed: starts ? 1 : 0,
      masked: allowed && !starts ? 1 : 0,
    });
    // A row of a list holds k on average.
    const eachOf = ({ starts }: Source) => Math.max(1, Math.floor(EACH / (starts ? k : features)));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const source of sources)
        step.dispatch(
          histogramKernel,
          { ...bindingsOf(source), histogram: histogram.storage },
          { ...uniformsOf(source), round, each: eachOf(source) },
        );
      step.dispatch(digitKernel, { histogram: histogram.storage, state: state.storage }, { round, wanted });
    }
    const above = allocate(step, [seen], 'above the key', 'u32');
    const equal = allocate(step, [seen], 'at the key', 'u32');
    for (const source of sources)
      step.dispatch(
        rowCountsKernel,
        { ...bindingsOf(source), above: above.storage, equal: equal.storage },
        { ...uniformsOf(source), first: source.first },
      );
    const counts = allocate(step, [seen], 'entries per row', 'u32');
    step.dispatch(
      grantKernel,
      {
        above: above.storage,
        equal: equal.storage,
        equal_before: scan(step, equal, 'ties before').storage,
        state: state.storage,
        counts: counts.storage,
      },
      { size: seen },
    );
    const starts = scan(step, counts, 'row starts');
    const picks = allocate(step, [wanted, 2], 'picked features', 'u32');
    for (const source of sources)
      step.dispatch(
        compactKernel,
        { ...bindingsOf(source), above: above.storage, starts: starts.storage, picks: picks.storage },
        { ...uniformsOf(source), first: source.first },
      );
    best = { picks, starts, rows: seen };
  };
  return {
    take,
    finish() {
      const { picks, starts } = best as NonNullable<typeof best>;
      return listEntries(step, form, starts, picks, 0);
    },
  };
}
