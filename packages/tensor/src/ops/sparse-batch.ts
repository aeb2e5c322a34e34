// The k · N largest positive of all N rows together, tile by tile: the best so far compete with each tile again, so that h is never whole.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step } from '@limn/gpu';
import { perElement, perRow } from '../grid.js';
import { allocate, type Tensor } from '../tensor.js';
import { MAX_BINDING_BYTES } from './row-blocks.js';
import { scan } from './scan.js';
import { listEntries, type SelectionForm, type SelectionTile, type Selector } from './sparse-select.js';

/** Neighbours of a row that share a maximum, and the width of a list; as in prelude/candidates.wgsl. */
const RUN = 16;
const LIST_WIDTH = 64 * RUN;
/** Digits of a key, and their counts; as in prelude/digits.wgsl. */
const ROUNDS = 3;
const BINS = 2048;
/** The round of dictionary_digit.wgsl that makes a bound of maxima. */
const BOUND = 3;

const perList = {
  grid: ({ lists }: { readonly lists: number }, overrides: { readonly WG: number }) =>
    perElement({ size: lists }, overrides),
  tune: perRow.tune,
};
const maximaKernel = defineKernel(shaders.dictionaryMaxima, {
  grid: ({ lists, features }, overrides) =>
    perElement({ size: (lists / listsOf(features)) * Math.ceil(features / (4 * RUN)) }, overrides),
  work: (u) => 2 * LIST_WIDTH * u.lists,
  tune: perRow.tune,
});
const candidatesKernel = defineKernel(shaders.dictionaryCandidates, { ...perList, work: (u) => LIST_WIDTH * u.lists });
const histogramKernel = defineKernel(shaders.dictionaryHistogram, { ...perList, work: (u) => 4 * u.lists * u.room });
const digitKernel = defineKernel(shaders.dictionaryDigit, { ...perRow, grid: () => [1, 1, 1], work: () => 4 * BINS });
const ranksKernel = defineKernel(shaders.dictionaryRanks, { ...perList, work: (u) => 4 * u.lists * u.room });
const grantKernel = defineKernel(shaders.dictionaryGrant, { grid: perElement, work: (u) => 4 * u.size });
const compactKernel = defineKernel(shaders.dictionaryCompact, { ...perList, work: (u) => 4 * u.lists * u.room });

const listsOf = (features: number): number => Math.ceil(features / LIST_WIDTH);

/** All rows compete with one another. */
export function selectByBatch(step: Step, form: SelectionForm): Selector {
  const { rows, features, k, allowed } = form;
  const wanted = rows * k;
  const perRowLists = listsOf(features);
  // Beyond what a list has on average, since rows differ; one with more is read from h again.
  const width = Math.min(features, LIST_WIDTH);
  const ample = Math.min(width, 32 + 4 * Math.ceil((k * width) / features));
  const masked = { overrides: { MASKED: allowed ? 1 : 0 } };
  const state = allocate(step, [3], 'batch key', 'u32').storage;
  const histogram = allocate(step, [BINS], 'digits counted', 'u32').storage;
  step.clear(histogram);
  step.clear(state);
  let best: { picks: Tensor; starts: Tensor } | undefined;

  const findDigit = (round: number): void => step.dispatch(digitKernel, { histogram, state }, { round, wanted });
  /** The wanted-th largest of the maxima of runs has as many numbers at or above it, and few more: candidates are what reaches it. */
  const candidatesOf = ({ h, first, rows: tileRows, stride }: SelectionTile) => {
    const lists = tileRows * perRowLists;
    const room = Math.min(ample, Math.floor(MAX_BINDING_BYTES / (8 * lists)));
    const uniforms = { lists, first: first * perRowLists, room, features, stride, round: 0 };
    const bindings = { source: h, allowed: allowed?.storage ?? h };
    const maxima = allocate(step, [tileRows, Math.ceil(features / RUN)], 'maxima of runs', 'u32');
    const entries = allocate(step, [lists, room, 2], 'candidates', 'u32').storage;
    const lengths = allocate(step, [lists], 'candidates per list', 'u32').storage;
    // Counting is what costs: as few maxima as leave a bound that is close, and none can be had where there are too few.
    const JOINT = [4, 2].find((joint) => 2 * joint * wanted <= maxima.size || wanted > maxima.size) ?? 1;
    const overrides = { ...masked.overrides, JOINT };
    step.dispatch(maximaKernel, { ...bindings, maxima: maxima.storage, histogram }, uniforms, { overrides });
    findDigit(BOUND);
    step.dispatch(candidatesKernel, { ...bindings, maxima: maxima.storage, state, entries, lengths }, uniforms, masked);
    return { bindings: { ...bindings, entries, lengths }, uniforms };
  };
  const take = (tile: SelectionTile): void => {
    const fresh = candidatesOf(tile);
    const { first } = fresh.uniforms;
    const sources = [fresh];
    if (best) {
      const { picks, starts } = best;
      const bindings = { ...fresh.bindings, entries: picks.storage, lengths: starts.storage };
      sources.push({ bindings, uniforms: { ...fresh.uniforms, lists: first, first: 0, room: 0 } });
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const { bindings, uniforms } of sources)
        step.dispatch(histogramKernel, { ...bindings, state, histogram }, { ...uniforms, round }, masked);
      findDigit(round);
    }
    const seen = first + fresh.uniforms.lists;
    const above = allocate(step, [seen], 'above the key', 'u32');
    const equal = allocate(step, [seen], 'at the key', 'u32');
    for (const { bindings, uniforms } of sources)
      step.dispatch(ranksKernel, { ...bindings, state, above: above.storage, equal: equal.storage }, uniforms, masked);
    const counts = allocate(step, [seen], 'entries per list', 'u32');
    step.dispatch(
      grantKernel,
      {
        above: above.storage,
        equal: equal.storage,
        equal_before: scan(step, equal, 'ties before').storage,
        state,
        counts: counts.storage,
      },
      { size: seen },
    );
    const starts = scan(step, counts, 'list starts');
    const picks = allocate(step, [wanted, 2], 'picked features', 'u32');
    for (const { bindings, uniforms } of sources)
      step.dispatch(
        compactKernel,
        { ...bindings, state, above: above.storage, starts: starts.storage, picks: picks.storage },
        uniforms,
        masked,
      );
    best = { picks, starts };
  };
  return {
    take,
    finish() {
      const { picks, starts } = best as NonNullable<typeof best>;
      return listEntries(step, form, starts, picks, 0);
    },
  };
}
