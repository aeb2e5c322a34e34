// What an edit does to an activation: how much longer it becomes, and how far it turns. The decomposition under which scalars and vectors are compared.
import { LimnError, type Step } from '@limn/gpu';
import {
  inBatches,
  parseHookName,
  settleControls,
  tokenBatch,
  type HookedModel,
  type HookName,
  type RunControls,
} from '@limn/hooks';
import { dot, readFloats, reshape, stack, sub, type Tensor } from '@limn/tensor';
import { checkExamples, type SteeringExample } from '../examples.js';
import { slotsOf, type PositionTable } from '../positions.js';
import { STEERABLE_SITES, steeredPlaces, type SteeredPlace } from '../sites.js';
import type { Steerer } from '../steerer.js';
import { fillGrid, type CellGrid } from './cell-grid.js';
import { liveSlots } from '../live-slots.js';
import { detached, recordEdits } from './edit-recorder.js';

/** Means over the tokens of all examples that stand in a cell; null where none does, or none has a length (a direction). */
export interface NormAndDirection {
  /** (‖h̃‖ − ‖h‖) / ‖h‖. For ActivScalar with βα > −1 this is βα. */
  readonly norm: CellGrid;
  /** 1 − cos(h̃, h), from 0 to 2: for scalars 0 or, reversed, 2. To f32 rounding. */
  readonly direction: CellGrid;
  /** ‖h̃ − h‖. */
  readonly size: CellGrid;
  readonly strength: number;
}

/** What `normAndDirection` takes. */
export interface NormAndDirectionOptions extends RunControls {
  /** β. Default 1. */
  readonly strength?: number | undefined;
  /** Which positions make a column of the grids: those of the steering, or any other table that fits the prompts. */
  readonly positions: PositionTable;
}

/** Sums over tokens of a cell, [norm change, tokens with ‖h‖ > 0, 1 − cos, tokens with both lengths > 0, ‖h̃ − h‖, tokens]. */
const KINDS = 6;

/**
 * The norm and direction change of every steered cell, h and h̃ being the same site of the same steered run, before and behind its edit.
 * For any method: of scalars that activations decide the norm change is what they decided. Steerers by words edit no activation.
 * @throws LimnError `usage/steering-site` where an edit is not at a steerable site, or there is none; `usage/steering-layer`, `data/steering-…`,
 * `memory/over-budget`, `usage/batch-size`, `usage/memory`; AbortedError
 */
export async function normAndDirection(
  model: HookedModel,
  examples: readonly SteeringExample[],
  steerer: Pick<Steerer, 'name' | 'interventions'>,
  { strength = 1, positions, ...controls }: NormAndDirectionOptions,
): Promise<NormAndDirection> {
  checkExamples(examples, model.info);
  const slots = examples.map(({ prompt, roles }, i) => slotsOf(positions, { length: prompt.length, roles }, i));
  const P = positions.names.length;
  const sums = new Map<HookName, Float64Array>();
  await inBatches(
    model.gpu,
    [...examples.keys()],
    {
      what: `Measuring edits of ${steerer.name}`,
      unit: 'prompt',
      label: 'edits',
      lengthOf: (n) => examples[n]?.prompt.length ?? 0,
      record: (step, batch) => {
        const rows = batch.map((n) => ({ example: examples[n] as SteeringExample, strength }));
        const tokens = tokenBatch(
          rows.map(({ example }) => example.prompt),
          model.info,
        );
        const recorder = recordEdits(steerer.interventions(rows));
        model.run(
          step,
          { tokens },
          { interventions: recorder.interventions, logits: 'none', stopAtLayer: model.info.layers },
        );
        return {
          T: tokens.T,
          edits: recorder.edits().map((edit) => ({ at: edit.at, dots: dots(step, detached(edit), tokens) })),
        };
      },
      take: async (step, { T, edits }, batch) => {
        const read = await Promise.all(edits.map(({ dots }) => readFloats(step, dots)));
        edits.forEach(({ at }, e) => {
          const own = sums.get(at) ?? new Float64Array(P * KINDS);
          sums.set(at, own);
          addTokens(
            own,
            read[e] as Float32Array,
            batch.map((n) => slots[n] as Int32Array),
            T,
          );
        });
      },
    },
    { ...controls, ...settleControls(controls) },
  );
  const places = placesAt(model, [...sums.keys()], steerer.name);
  const gridOf = (measure: string, total: number, count: number): CellGrid =>
    fillGrid(measure, places, positions, {
      valuesOf: (place, slot) => {
        const own = sums.get(place.at)?.subarray(slot * KINDS, (slot + 1) * KINDS);
        return own && (own[count] as number) > 0 ? (own[total] as number) / (own[count] as number) : null;
      },
      live: (place) => liveSlots(model.info, place, positions, examples),
    });
  return {
    norm: gridOf('norm change', 0, 1),
    direction: gridOf('direction change', 2, 3),
    size: gridOf('size of the edit', 4, 5),
    strength,
  };
}

/** ⟨h, h⟩, ⟨h̃, h̃⟩, ⟨h̃, h⟩ and ‖h̃ − h‖² of every position, [4, B·T]. */
function dots(
  step: Step,
  { before, after }: { readonly before: Tensor; readonly after: Tensor },
  { B, T }: { readonly B: number; readonly T: number },
): Tensor {
  const [x, y] = [before, after].map((each) => reshape(each, [B * T, each.size / (B * T)])) as [Tensor, Tensor];
  const change = sub(step, y, x);
  const along = (a: Tensor, b: Tensor): Tensor => dot(step, a, b, { axes: 1 });
  return stack(step, [along(x, x), along(y, y), along(y, x), along(change, change)]);
}

function addTokens(own: Float64Array, values: Float32Array, slots: readonly Int32Array[], T: number): void {
  const rows = values.length / 4;
  const put = (cell: number, kind: number, value: number): void => {
    own[cell * KINDS + kind] = (own[cell * KINDS + kind] as number) + value;
    own[cell * KINDS + kind + 1] = (own[cell * KINDS + kind + 1] as number) + 1;
  };
  slots.forEach((ofPrompt, b) =>
    ofPrompt.forEach((cell, t) => {
      if (cell < 0) return;
      const [hh = 0, tt = 0, th = 0, change = 0] = [0, 1, 2, 3].map((kind) => values[kind * rows + b * T + t]);
      if (hh > 0) put(cell, 0, Math.sqrt(tt) / Math.sqrt(hh) - 1);
      if (hh > 0 && tt > 0) put(cell, 2, 1 - Math.max(-1, Math.min(1, th / Math.sqrt(hh) / Math.sqrt(tt))));
      put(cell, 4, Math.sqrt(change));
    }),
  );
}

/** @throws LimnError `usage/steering-site` */
function placesAt(model: HookedModel, names: readonly HookName[], steerer: string): SteeredPlace[] {
  const parsed = names.map((name) => parseHookName(name, model.info));
  const other = parsed.find(({ site }) => !STEERABLE_SITES.some((each) => each === site));
  if (other || parsed.length === 0)
    throw new LimnError(
      'usage/steering-site',
      other ? `'${steerer}' edits ${other.name}, which is no cell.` : `'${steerer}' edits no activation.`,
      {
        details: { given: other?.name ?? null, allowed: STEERABLE_SITES },
        hint: `Norm and direction are of edits at ${STEERABLE_SITES.join(', ')}.`,
      },
    );
  // A method that leaves out no place: each is asked for by name.
  return steeredPlaces(model.info, {
    method: { kind: 'steer-vec' },
    sites: parsed.map(({ site }) => site),
    layers: parsed.map(({ layer = 0 }) => layer),
  }).filter(({ at }) => names.includes(at));
}
