// AdamW of a stack in which every row is a task: rates, decays and step counts are numbers of a task, one dispatch updates all of them.
import * as shaders from '@limn/shaders';
import { defineKernel, type Step, type Storage } from '@limn/gpu';
import { perElement, perFour } from '../grid.js';
import { fromData, type Tensor } from '../tensor.js';
import { checkTaskNumbers, optimiserError, type Group, type Slot, type TaskState } from './adamw-groups.js';

const updateWork = (u: { size: number }): number => 16 * u.size;
const updateKernel = defineKernel(shaders.adamwTasks, { grid: perElement, work: updateWork });
const updateKernel4 = defineKernel(shaders.adamwTasks4, { grid: perFour, work: updateWork });

/** Clip factors: those of a group's tasks lie from `index`, `stride` apart. */
export interface Factors {
  readonly storage: Storage;
  readonly index: number;
  readonly stride: number;
}

/** Refuses rates for groups that are not by task, and rates that cannot be used. Throws 'tensor/optimiser'. */
export function checkTaskRates(groups: readonly Group[], rates: Readonly<Record<string, Float32Array>> = {}): void {
  for (const [name, values] of Object.entries(rates)) {
    const tasks = groups.find((group) => group.name === name)?.tasks;
    if (!tasks)
      throw optimiserError(
        `there is no group '${name}' by task`,
        'Give the rates of groups that were made with `tasks`.',
        { name },
      );
    checkTaskNumbers(`taskRates of '${name}'`, values, tasks.counts.length);
  }
}

/** Records one update of a group's tasks and counts it for those whose rate is not 0. */
export function updateByTask(
  step: Step,
  { slots, settings, tasks }: Pick<Group, 'slots' | 'settings'> & { readonly tasks: TaskState },
  gradientOf: (slot: Slot) => Tensor,
  rates: Float32Array,
  factors: Factors,
): void {
  const { betas, epsilon } = settings;
  const { counts, weightDecays } = tasks;
  const numbers = new Float32Array(4 * counts.length);
  rates.forEach((rate, n) => {
    if (rate === 0) return;
    const count = (counts[n] as number) + 1;
    counts[n] = count;
    numbers.set([rate, weightDecays[n] as number, 1 - betas[0] ** count, 1 - betas[1] ** count], 4 * n);
  });
  const table = fromData(step, numbers, [counts.length, 4], { label: 'adamw: tasks' });
  for (const slot of slots) {
    const bindings = {
      gradient: gradientOf(slot).storage,
      factors: factors.storage,
      tasks: table.storage,
      parameter: slot.tensor.storage,
      first: slot.first.storage,
      second: slot.second.storage,
    };
    const uniforms = {
      size: slot.size,
      offset: slot.offset,
      width: slot.rowWidth,
      factor_index: factors.index,
      factor_stride: factors.stride,
      beta1: betas[0],
      beta2: betas[1],
      gain1: 1 - betas[0],
      gain2: 1 - betas[1],
      epsilon,
    };
    if (slot.rowWidth % 4 === 0) step.dispatch(updateKernel4, bindings, uniforms);
    else step.dispatch(updateKernel, bindings, uniforms);
  }
}
