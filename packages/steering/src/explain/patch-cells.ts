// What one cell alone does: Δ when its activation is set to zero, or to that of another prompt; many cells and prompts a pass, each from its layer on.
import type { Step } from '@limn/gpu';
import {
  inBatches,
  intervene,
  settleControls,
  tokenBatch,
  type HookedModel,
  type Intervention,
  type RunControls,
} from '@limn/hooks';
import { detach, fill, fromData, gatherRows, readFloats, reshape, selectRows, type Tensor } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import type { SteeredPlace } from '../sites.js';
import { answerDifference } from './answer-difference.js';
import type { CellGrid } from './cell-grid.js';
import { checkCorrupted, selectCells, type CellSelection } from './grid-spec.js';

/** One patch: a row of the table at one example; −1 patches nothing. */
interface PatchRow {
  readonly slot: number;
  readonly n: number;
}

/** What the patched runs run, and what is put into them. */
interface Patching {
  readonly model: HookedModel;
  readonly examples: readonly SteeringExample[];
  /** Of the runs that are patched. */
  readonly base: readonly (readonly number[])[];
  /** Of the runs that activations come from; without them they are zeros. */
  readonly source?: readonly (readonly number[])[] | undefined;
  readonly slots: readonly Int32Array[];
}

/**
 * Δ − Δ with the cell at zero, mean over all examples (one without the cell counts 0): what the cell gives Δ, everything else being left to
 * react. Equal to ActivScalar with α = −1 there and 0 elsewhere, and to ∫_{−1}^{0} ∂Δ/∂α dα of that cell alone. In logits.
 * @throws LimnError `usage/steering-site`, `usage/steering-layer`, `data/steering-…`, `memory/over-budget`, `usage/batch-size`,
 * `usage/memory`; AbortedError
 */
export async function zeroAblationGrid(
  model: HookedModel,
  examples: readonly SteeringExample[],
  cells: CellSelection,
  controls: RunControls = {},
): Promise<CellGrid> {
  checkExamples(examples, model.info);
  const base = examples.map(({ prompt }) => prompt);
  return patchGrid('zero ablation', { model, examples, base }, cells, -1, controls);
}

/** What `patchingGrid` takes. */
export interface PatchingGridOptions extends RunControls {
  /** A prompt for each example, as long as its own, that does not show the behaviour. */
  readonly corrupted: readonly (readonly number[])[];
  /** `denoise` (default): the examples' activations into corrupted runs. `noise`: corrupted activations into the examples' runs. */
  readonly direction?: 'denoise' | 'noise' | undefined;
}

/**
 * Activation patching on the cells: Δ(patched) − Δ(corrupted) where activations of the examples are put into corrupted runs, and
 * Δ(example) − Δ(patched) the other way; mean over all examples, in logits. Positive: the cell carries what favours the correct answer.
 * Tokens that share a row of the table are patched together.
 * @throws LimnError as `zeroAblationGrid`; `data/steering-pairs`
 */
export async function patchingGrid(
  model: HookedModel,
  examples: readonly SteeringExample[],
  cells: CellSelection,
  { corrupted, direction = 'denoise', ...controls }: PatchingGridOptions,
): Promise<CellGrid> {
  checkExamples(examples, model.info);
  checkCorrupted(examples, corrupted, model.info.vocabulary);
  const prompts = examples.map(({ prompt }) => prompt);
  const [base, source] = direction === 'denoise' ? [corrupted, prompts] : [prompts, corrupted];
  const sign = direction === 'denoise' ? 1 : -1;
  return patchGrid(`activation patching (${direction})`, { model, examples, base, source }, cells, sign, controls);
}

async function patchGrid(
  measure: string,
  patching: Omit<Patching, 'slots'>,
  selection: CellSelection,
  sign: 1 | -1,
  controls: RunControls,
): Promise<CellGrid> {
  const { model, examples } = patching;
  const cells = selectCells(model.info, selection, examples);
  const whole: Patching = { ...patching, slots: cells.slots };
  const work = cells.places.map((place) => {
    const live = cells.live(place);
    const rows = cells.positions.names.flatMap((_, slot) =>
      live[slot] ? examples.flatMap((_, n) => (cells.slots[n]?.includes(slot) ? [{ slot, n }] : [])) : [],
    );
    return { place, rows };
  });
  const first = work[0] as { readonly place: SteeredPlace };
  const untouched = examples.map((_, n): PatchRow => ({ slot: -1, n }));
  const total = work.reduce((sum, { rows }) => sum + rows.length, untouched.length);
  let done = 0;
  const measured = async (place: SteeredPlace, rows: readonly PatchRow[]): Promise<Float32Array> => {
    const before = done;
    const values = await patchedDifferences(whole, place, rows, {
      ...controls,
      onProgress: (progress) => controls.onProgress?.({ unit: 'rows', done: before + progress.done, total }),
    });
    done += rows.length;
    return values;
  };
  const plain = await measured(first.place, untouched);
  const sums = new Map<SteeredPlace, Float64Array>();
  for (const { place, rows } of work) {
    const own = new Float64Array(cells.positions.names.length);
    sums.set(place, own);
    const values = await measured(place, rows);
    rows.forEach(({ slot, n }, i) => {
      own[slot] = (own[slot] as number) + (sign * ((values[i] as number) - (plain[n] as number))) / examples.length;
    });
  }
  return cells.grid(measure, (place, slot) => sums.get(place)?.[slot] ?? null);
}

/** Δ of every row, patched at one place. */
async function patchedDifferences(
  patching: Patching,
  place: SteeredPlace,
  rows: readonly PatchRow[],
  controls: RunControls,
): Promise<Float32Array> {
  const values = new Float32Array(rows.length);
  await inBatches(
    patching.model.gpu,
    rows,
    {
      what: `Patching ${place.at}`,
      unit: 'row',
      label: 'patched cells',
      lengthOf: ({ n }) => patching.base[n]?.length ?? 0,
      record: (step, batch) => recordPatched(step, patching, place, batch),
      take: async (step, recorded, at) => {
        const read = await readFloats(step, recorded);
        at.forEach((row, i) => (values[row] = read[i] as number));
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  return values;
}

/** The prompts of a batch run once as far as the layer; from there on every row is a run of its own. */
function recordPatched(
  step: Step,
  { model, examples, base, source, slots }: Patching,
  { at, layer }: SteeredPlace,
  rows: readonly PatchRow[],
): Tensor {
  const distinct = [...new Set(rows.map(({ n }) => n))];
  const batchOf = (prompts: readonly (readonly number[])[]) =>
    tokenBatch(
      distinct.map((n) => prompts[n] as readonly number[]),
      model.info,
    );
  const from = Uint32Array.from(rows, ({ n }) => distinct.indexOf(n));
  const spread = (x: Tensor): Tensor => {
    const [E, ...rest] = x.shape as [number, ...number[]];
    const picked = gatherRows(step, reshape(detach(x), [E, x.size / E]), fromData(step, from, [rows.length]));
    return reshape(picked, [rows.length, ...rest]);
  };
  const tokens = batchOf(base);
  const { resid } = model.run(step, { tokens }, { stopAtLayer: layer, logits: 'none' });
  const T = tokens.T;
  const mask = new Uint32Array(rows.length * T);
  rows.forEach(({ slot, n }, r) => {
    slots[n]?.forEach((own, t) => (mask[r * T + t] = slot >= 0 && own === slot ? 1 : 0));
  });
  const chosen = fromData(step, mask, [rows.length, T]);
  const given = source
    ? model.run(step, { tokens: batchOf(source) }, { capture: [at], stopAtLayer: layer + 1, logits: 'none' }).at(at)
    : undefined;
  const edit: Intervention = intervene(at, `${rows.length} patches`, (x) =>
    selectRows(step, chosen, given ? spread(given) : fill(step, x.shape, 0), x),
  );
  const { logits } = model.run(
    step,
    { resid: spread(resid), layer, at: 'pre', lengths: rows.map(({ n }) => base[n]?.length ?? 0) },
    { interventions: [edit], logits: 'last' },
  );
  return answerDifference(
    step,
    logits,
    rows.map(({ n }) => examples[n] as SteeringExample),
  );
}
