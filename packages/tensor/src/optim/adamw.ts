// AdamW (Loshchilov & Hutter 2019): p ← p − rate · decay · p − rate · m̂ / (√v̂ + ε), in place on persistent tensors.
import * as shaders from '@limn/shaders';
import { defineKernel, type Gpu, type Step } from '@limn/gpu';
import { groupsOf, perElement, perFour, perRow } from '../grid.js';
import { expectShape } from '../shape.js';
import { allocate, expectDType, persistent, type Tensor } from '../tensor.js';
import {
  optimiserError,
  slotGroups,
  type AdamWGroup,
  type AdamWOptions,
  type Group,
  type Slot,
} from './adamw-groups.js';
import { checkTaskRates, updateByTask } from './adamw-tasks.js';
import { loadMoments, loadState, momentsOf, stateOf, type AdamWMoments, type AdamWState } from './adamw-state.js';

/** Settings of one update. */
export interface AdamWStepOptions {
  /** Multiplies the rate: a schedule, for all groups or one number each. */
  readonly rateScale?: number | readonly number[];
  /** Names of the groups to update, all by default; the others keep their count and moments. */
  readonly groups?: readonly string[];
  /** By name of a group by task: the rate of each of its tasks in this update. A task of rate 0 is left as it is: parameters, moments and count. */
  readonly taskRates?: Readonly<Record<string, Float32Array>>;
}

/** Elements of a gradient whose squares one workgroup sums. */
const CHUNK = 4096;

const updateWork = (u: { size: number }): number => 16 * u.size;
const updateKernel = defineKernel(shaders.adamw, { grid: perElement, work: updateWork });
/** A lane per vec4: half the time on lavapipe (npm run bench). */
const updateKernel4 = defineKernel(shaders.adamw4, { grid: perFour, work: updateWork });
const squareSumKernel = defineKernel(shaders.squareSum, {
  ...perRow,
  grid: (u) => groupsOf(u.rows * Math.ceil(u.size / u.chunk)),
  work: (u) => 2 * u.rows * u.size,
});
const l1Kernel = defineKernel(shaders.proximalL1, { grid: perElement, work: (u) => 8 * u.size });
const rowL2Kernel = defineKernel(shaders.proximalGroup, { ...perRow, work: (u) => 6 * u.rows * u.width });
const clipKernel = defineKernel(shaders.clipFactor, { ...perRow, work: (u) => u.rows * u.count });

/** The optimiser: owns the moments, not the parameters. Made by `adamw`. */
export class AdamW {
  /** The distinct parameter tensors, in order: pass them to `gradients` as targets, and its result to `step`. */
  readonly tensors: readonly Tensor[];
  readonly #gpu: Gpu;
  readonly #groups: readonly Group[];
  readonly #clipNorm: number | undefined;
  /** The factor of groups that are not clipped. */
  readonly #one: Tensor;

  /**
   * See `adamw`.
   * @throws LimnError `tensor/dtype`, `tensor/optimiser`, `tensor/shape`
   */
  constructor(gpu: Gpu, groups: readonly AdamWGroup[], options: AdamWOptions = {}) {
    this.#gpu = gpu;
    this.#clipNorm = options.clipNorm;
    this.#one = persistent(gpu, [1], Float32Array.of(1), { label: 'adamw: no clipping' });
    try {
      const { slotted, tensors } = slotGroups(gpu, groups, options);
      this.#groups = slotted;
      this.tensors = tensors;
    } catch (error) {
      this.#one.dispose();
      throw error;
    }
  }

  /** Updates so far, by group name. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#groups.map((group) => [group.name, group.count]));
  }

  /** Updates of each task so far, by name of a group by task. */
  get taskCounts(): Readonly<Record<string, readonly number[]>> {
    return Object.fromEntries(this.#groups.flatMap(({ name, tasks }) => (tasks ? [[name, [...tasks.counts]]] : [])));
  }

  /**
   * Records one update of every (chosen) group: moments and parameters change in place when the step runs.
   * `grads` are whole-tensor gradients in the order of `tensors`; a group reads only its own rows. Clipping happens on the
   * GPU without a read-back. Returns the gradient norms before clipping when anything is clipped: f32, one per updated group,
   * or per task of it, or [1] for one common norm. Rates, decay and bias correction are uniforms, so a repeated update reuses its plan.
   * Counts rise when the update is recorded: after a step that failed or was aborted, `load` the last state.
   * @throws LimnError `tensor/dtype`, `tensor/optimiser`, `tensor/shape`
   */
  step(
    step: Step,
    grads: readonly (Tensor | undefined)[],
    options: AdamWStepOptions = {},
  ): { norms: Tensor | undefined } {
    const active = this.#active(options.groups);
    const gradientOf = (slot: Slot): Tensor => {
      const gradient = grads[slot.place];
      if (!gradient)
        throw optimiserError(
          `there is no gradient for '${slot.name}'`,
          'Give one per entry of `tensors`, or leave its group out of this update.',
          { parameter: slot.name },
        );
      expectDType('adamw', gradient, ['f32'], `the gradient of '${slot.name}'`);
      expectShape('adamw', `the gradient of '${slot.name}'`, gradient.shape, slot.tensor.shape);
      return gradient;
    };
    for (const group of active) group.slots.forEach(gradientOf);
    const scales = options.rateScale ?? 1;
    if (typeof scales !== 'number' && scales.length !== this.#groups.length)
      throw optimiserError(
        `${scales.length} rate scales for ${this.#groups.length} groups`,
        'Give one number, or one per group.',
        {},
      );
    checkTaskRates(this.#groups, options.taskRates);

    const clip = this.#clip(step, active, gradientOf);
    let factorIndex = 0;
    for (const group of active) {
      const factors = {
        storage: (clip?.factors ?? this.#one).storage,
        index: clip && this.#clipNorm === undefined ? factorIndex : 0,
        stride: clip ? 1 : 0,
      };
      factorIndex += group.tasks?.counts.length ?? 1;
      group.count += 1;
      const { rate, betas, epsilon, weightDecay } = group.settings;
      const index = this.#groups.indexOf(group);
      const rateScale = typeof scales === 'number' ? scales : (scales[index] as number);
      if (group.tasks) {
        const rates = options.taskRates?.[group.name] ?? group.tasks.rates;
        updateByTask(
          step,
          { ...group, tasks: group.tasks },
          gradientOf,
          rates.map((each) => each * rateScale),
          factors,
        );
        continue;
      }
      const correction2 = 1 - betas[1] ** group.count;
      for (const slot of group.slots) {
        const bindings = {
          gradient: gradientOf(slot).storage,
          factors: factors.storage,
          parameter: slot.tensor.storage,
          first: slot.first.storage,
          second: slot.second.storage,
        };
        const uniforms = {
          size: slot.size,
          offset: slot.offset,
          factor_index: factors.index,
          rate: rate * rateScale,
          beta1: betas[0],
          beta2: betas[1],
          gain1: 1 - betas[0],
          gain2: 1 - betas[1],
          epsilon,
          decay: weightDecay,
          correction1: 1 - betas[0] ** group.count,
          correction2,
        };
        if (slot.size % 4 === 0 && slot.offset % 4 === 0) step.dispatch(updateKernel4, bindings, uniforms);
        else step.dispatch(updateKernel, bindings, uniforms);
        if (group.proximal) shrink(step, slot, group.proximal, { rate: rate * rateScale, correction2 });
      }
    }
    return { norms: clip?.norms };
  }

  /** Counts now, and moments that are read when they are asked for, after the steps submitted by then. */
  moments(): AdamWMoments {
    return momentsOf(this.#gpu, this.#groups);
  }

  /** Counts and moments on the host. Reads after the steps submitted so far. */
  state(): Promise<AdamWState> {
    return stateOf(this.#gpu, this.#groups);
  }

  /**
   * Takes over a state made by an optimiser of the same groups and parameters.
   * @throws LimnError `tensor/optimiser` otherwise, changing nothing
   */
  load(state: AdamWState): void {
    loadState(this.#gpu, this.#groups, state);
  }

  /**
   * As `load`, with one moment on the host at a time: other groups or parameters are refused before anything is read, and
   * a moment of another size when it comes; when reading one fails, those before it are already taken over.
   * @throws LimnError `tensor/optimiser`
   */
  loadMoments(state: AdamWMoments): Promise<void> {
    return loadMoments(this.#gpu, this.#groups, state);
  }

  /** Releases the moments. The parameters stay. */
  dispose(): void {
    for (const group of this.#groups)
      for (const slot of group.slots) {
        slot.first.dispose();
        slot.second.dispose();
      }
    this.#one.dispose();
  }

  #active(names: readonly string[] | undefined): readonly Group[] {
    if (!names) return this.#groups;
    for (const name of names)
      if (!this.#groups.some((group) => group.name === name))
        throw optimiserError(
          `there is no group '${name}'`,
          `Choose among ${this.#groups.map((group) => `'${group.name}'`).join(', ')}.`,
          { name },
        );
    return this.#groups.filter((group) => names.includes(group.name));
  }

  /** Factors and norms: one per active group, or per task of it, or one for all of them. */
  #clip(
    step: Step,
    active: readonly Group[],
    gradientOf: (slot: Slot) => Tensor,
  ): { factors: Tensor; norms: Tensor } | undefined {
    const common = this.#clipNorm;
    if (common === undefined && active.every((group) => group.clipNorm === undefined)) return undefined;
    const domains =
      common === undefined
        ? active.map(({ slots, clipNorm, tasks }) => ({
            slots,
            limit: clipNorm ?? -1,
            rows: tasks?.counts.length ?? 1,
          }))
        : [{ slots: active.flatMap((group) => group.slots), limit: common, rows: 1 }];
    const sized = domains.map((domain) => ({
      ...domain,
      chunks: domain.slots.reduce((sum, slot) => sum + Math.ceil(slot.size / domain.rows / CHUNK), 0),
    }));
    const total = (of: (domain: (typeof sized)[number]) => number) => sized.reduce((sum, each) => sum + of(each), 0);
    const partials = allocate(step, [total(({ rows, chunks }) => rows * chunks)], 'adamw: squares');
    const factors = allocate(step, [total(({ rows }) => rows)], 'adamw: clip factors');
    const norms = allocate(step, [total(({ rows }) => rows)], 'adamw: gradient norms');
    let [start, index] = [0, 0];
    for (const { slots, limit, rows, chunks } of sized) {
      let offset = start;
      for (const slot of slots) {
        const size = slot.size / rows;
        const bindings = { x: gradientOf(slot).storage, y: partials.storage };
        step.dispatch(squareSumKernel, bindings, {
          rows,
          start: slot.offset,
          size,
          chunk: CHUNK,
          offset,
          y_row: chunks,
        });
        offset += Math.ceil(size / CHUNK);
      }
      const bindings = { partials: partials.storage, factors: factors.storage, norms: norms.storage };
      step.dispatch(clipKernel, bindings, { rows, start, count: chunks, index, limit });
      start += rows * chunks;
      index += rows;
    }
    return { factors, norms };
  }
}

/** The proximal steps of one parameter, after its update. */
function shrink(
  step: Step,
  { tensor, second, size, offset, rowWidth }: Slot,
  { l1, rowL2, floor }: NonNullable<Group['proximal']>,
  { rate, correction2 }: { readonly rate: number; readonly correction2: number },
): void {
  const bindings = { second: second.storage, parameter: tensor.storage };
  if (l1 > 0) step.dispatch(l1Kernel, bindings, { size, offset, threshold: rate * l1, floor, correction2 });
  if (rowL2 > 0)
    step.dispatch(rowL2Kernel, bindings, {
      rows: size / rowWidth,
      width: rowWidth,
      offset,
      threshold: rate * rowL2,
      floor,
      correction2,
    });
}

/**
 * An AdamW optimiser over groups of persistent f32 tensors. A group may be one run of rows of a stacked tensor, so that
 * several adapters of one tensor train with rates and step counts of their own; with `tasks`, every row does, in one dispatch for the whole stack.
 * @throws LimnError `tensor/dtype`, `tensor/optimiser`, `tensor/shape`
 */
export function adamw(gpu: Gpu, groups: readonly AdamWGroup[], options: AdamWOptions = {}): AdamW {
  return new AdamW(gpu, groups, options);
}
