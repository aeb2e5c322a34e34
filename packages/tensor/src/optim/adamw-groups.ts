// The groups of an AdamW optimiser: what a caller gives, and the checked form with moments that the updates run on.
import { LimnError, type Gpu } from '@limn/gpu';
import { showShape } from '../shape.js';
import { expectDType, persistent, type Tensor } from '../tensor.js';

/** A trained tensor, or a run of its rows along the first axis (one layer of a stacked tensor). */
export interface AdamWParameter {
  /** Unique within its group; the key of its state. */
  readonly name: string;
  readonly tensor: Tensor;
  readonly rows?: readonly [start: number, count: number];
}

/**
 * A penalty taken by its proximal step after every update, in the metric √v̂ + floor of that update: values become exactly 0, and stay it
 * while the slope of the loss is below λ. It is no part of the gradients or the moments.
 */
export interface Proximal {
  /** λ of λ · Σ |p|. */
  readonly l1?: number;
  /** λ of λ · Σ_rows ‖row‖₂, rows along the first axis of the tensor: a row becomes 0 as a whole. */
  readonly rowL2?: number;
  /** Added to √v̂: once the loss is flat, v̂ fades and nothing else would bound the step. Default .001. */
  readonly floor?: number;
}

/** Rows along the first axis of a group's parameters that train each for itself: hundreds of adapters in one stack. */
export interface AdamWTasks {
  /** Rows of every parameter of the group. */
  readonly count: number;
  /** Rate of each, in place of the group's. A task of rate 0 is left as it is: parameters, moments and count. */
  readonly rates?: Float32Array;
  /** Decay of each, in place of the group's. */
  readonly weightDecays?: Float32Array;
}

/** Parameters with a schedule of their own: step count, rate, decay and clipping belong to the group. */
export interface AdamWGroup {
  /** Unique within the optimiser; 'group 0', 'group 1', … by default. */
  readonly name?: string;
  readonly params: readonly AdamWParameter[];
  readonly rate: number;
  /** Decay of the running means of g and g²; [0.9, 0.999] by default. */
  readonly betas?: readonly [number, number];
  /** Added to √v̂; 1e-8 by default. */
  readonly epsilon?: number;
  /** Decoupled decay; 0 by default. */
  readonly weightDecay?: number;
  /** The group's gradient, or that of each of its tasks, is scaled down to this Euclidean norm. */
  readonly clipNorm?: number;
  /** Every row is a task with a rate, a step count and a gradient norm of its own. */
  readonly tasks?: AdamWTasks;
  /** None by default. */
  readonly proximal?: Proximal;
}

/** Settings of the whole optimiser. */
export interface AdamWOptions {
  /** One norm over all groups together; groups may then have none of their own. */
  readonly clipNorm?: number;
}

/** A parameter with its place. */
interface Place {
  readonly name: string;
  readonly tensor: Tensor;
  /** Index into `tensors`. */
  readonly place: number;
  /** First element and number of elements. */
  readonly offset: number;
  readonly size: number;
  /** Elements of a row along the first axis. */
  readonly rowWidth: number;
}

/** A parameter with its moments. */
export interface Slot extends Place {
  /** Running means of g and g². */
  readonly first: Tensor;
  readonly second: Tensor;
}

/** A group with its parameters in place. */
export interface Group {
  readonly name: string;
  readonly slots: readonly Slot[];
  readonly settings: Required<Omit<AdamWGroup, 'name' | 'params' | 'clipNorm' | 'proximal' | 'tasks'>>;
  readonly proximal: Required<Proximal> | undefined;
  readonly clipNorm: number | undefined;
  /** With the updates that each has had. */
  readonly tasks: TaskState | undefined;
  count: number;
}

/** Tasks of a group while it trains. */
export interface TaskState {
  readonly rates: Float32Array;
  readonly weightDecays: Float32Array;
  /** Updates of each. */
  readonly counts: number[];
}

/** Checks groups and makes their moments. Throws 'tensor/optimiser'. */
export function slotGroups(
  gpu: Gpu,
  groups: readonly AdamWGroup[],
  options: AdamWOptions,
): { slotted: Group[]; tensors: Tensor[] } {
  const tensors: Tensor[] = [];
  const distinct = (names: readonly string[], what: string): void => {
    const twice = names.find((name, index) => names.indexOf(name) < index);
    if (twice !== undefined)
      throw optimiserError(
        `two ${what} are called '${twice}'`,
        'Names are the keys of checkpoints: make them distinct.',
        {
          name: twice,
        },
      );
  };
  for (const group of groups) checkSettings(group, options);
  const placed = groups.map((group, index) => ({
    name: group.name ?? `group ${index}`,
    slots: group.params.map((parameter) => placeOf(parameter, tensors)),
    settings: {
      rate: group.rate,
      betas: group.betas ?? ([0.9, 0.999] as const),
      epsilon: group.epsilon ?? 1e-8,
      weightDecay: group.weightDecay ?? 0,
    },
    proximal: group.proximal && { l1: 0, rowL2: 0, floor: 1e-3, ...group.proximal },
    clipNorm: group.clipNorm,
    tasks: group.tasks && {
      rates: group.tasks.rates?.slice() ?? new Float32Array(group.tasks.count).fill(group.rate),
      weightDecays:
        group.tasks.weightDecays?.slice() ?? new Float32Array(group.tasks.count).fill(group.weightDecay ?? 0),
      counts: Array.from({ length: group.tasks.count }, () => 0),
    },
    count: 0,
  }));
  for (const group of placed) checkTasks(group);
  distinct(
    placed.map((group) => group.name),
    'groups',
  );
  for (const group of placed)
    distinct(
      group.slots.map((slot) => slot.name),
      `parameters of '${group.name}'`,
    );
  checkApart(placed.flatMap((group) => group.slots));
  // Memory is taken only after everything has been checked, and given back when there is not enough of it.
  const made: Tensor[] = [];
  const moment = (label: string, size: number): Tensor => {
    const tensor = persistent(gpu, [size], undefined, { label });
    made.push(tensor);
    return tensor;
  };
  try {
    const slotted = placed.map((group) => ({
      ...group,
      slots: group.slots.map((place) => ({
        ...place,
        first: moment(`${place.name}: m`, place.size),
        second: moment(`${place.name}: v`, place.size),
      })),
    }));
    return { slotted, tensors };
  } catch (error) {
    for (const tensor of made) tensor.dispose();
    throw error;
  }
}

/** 'tensor/optimiser' with its cure. */
export function optimiserError(problem: string, hint: string, details: Record<string, unknown>): LimnError {
  return new LimnError('tensor/optimiser', `adamw: ${problem}. ${hint}`, { details, hint });
}

function checkSettings(group: AdamWGroup, options: AdamWOptions): void {
  const { rate, betas = [0.9, 0.999], epsilon = 1e-8, weightDecay = 0, clipNorm } = group;
  const sound =
    Number.isFinite(rate) &&
    rate >= 0 &&
    betas.every((beta) => beta >= 0 && beta < 1) &&
    epsilon > 0 &&
    weightDecay >= 0;
  if (!sound)
    throw optimiserError(
      `rate ${rate}, betas ${showShape(betas)}, epsilon ${epsilon}, weightDecay ${weightDecay} cannot be used`,
      'Give rate ≥ 0, betas in [0, 1), epsilon > 0 and weightDecay ≥ 0.',
      { rate, betas, epsilon, weightDecay },
    );
  const { l1 = 0, rowL2 = 0, floor = 1e-3 } = group.proximal ?? {};
  if (!(Number.isFinite(l1) && l1 >= 0 && Number.isFinite(rowL2) && rowL2 >= 0 && floor > 0))
    throw optimiserError(
      `proximal l1 ${l1}, rowL2 ${rowL2}, floor ${floor} cannot be used`,
      'Give l1 ≥ 0, rowL2 ≥ 0 and floor > 0.',
      { l1, rowL2, floor },
    );
  if (group.tasks && (group.proximal || options.clipNorm !== undefined))
    throw optimiserError(
      group.proximal ? 'a group by task has a proximal penalty' : 'tasks would be clipped by a norm of all together',
      group.proximal ? 'Leave one of the two out.' : 'Give the group a clipNorm, which is that of each task.',
      {},
    );
  if (clipNorm !== undefined && options.clipNorm !== undefined)
    throw optimiserError(
      'both the optimiser and a group have a clipNorm',
      'Clip either over everything or per group.',
      {
        group: clipNorm,
        optimiser: options.clipNorm,
      },
    );
  for (const limit of [clipNorm, options.clipNorm])
    if (limit !== undefined && !(limit > 0))
      throw optimiserError(`clipNorm is ${limit}`, 'Give a positive norm, or leave it out.', { clipNorm: limit });
}

/** Rates that may be used: one a task, none negative. */
export function checkTaskNumbers(what: string, values: Float32Array, count: number): void {
  const wrong = values.find((value) => !(Number.isFinite(value) && value >= 0));
  if (values.length === count && wrong === undefined) return;
  throw optimiserError(
    `${what} are ${wrong === undefined ? `${values.length} numbers for ${count} tasks` : `${wrong} among others`}`,
    'Give one finite number from 0 for every task.',
    { what, given: values.length, count, wrong },
  );
}

function checkTasks({
  slots,
  tasks,
}: {
  readonly slots: readonly Place[];
  readonly tasks: TaskState | undefined;
}): void {
  if (!tasks) return;
  const count = tasks.counts.length;
  checkTaskNumbers('rates', tasks.rates, count);
  checkTaskNumbers('weightDecays', tasks.weightDecays, count);
  const other = slots.find(({ size, rowWidth }) => size !== count * rowWidth);
  if (!other) return;
  throw optimiserError(
    `'${other.name}' has ${other.size / other.rowWidth} rows for ${count} tasks`,
    'Give a group by task parameters with one row for every task.',
    { name: other.name, rows: other.size / other.rowWidth, count },
  );
}

function placeOf({ name, tensor, rows }: AdamWParameter, tensors: Tensor[]): Place {
  expectDType('adamw', tensor, ['f32'], `parameter '${name}'`);
  const [start, count] = rows ?? [0, tensor.shape[0] as number];
  const length = tensor.shape[0] as number;
  if (!Number.isInteger(start) || !Number.isInteger(count) || start < 0 || count < 1 || start + count > length)
    throw optimiserError(
      `rows [${start}, ${start + count}) of '${name}' do not lie in ${showShape(tensor.shape)}`,
      `Give rows between 0 and ${length}.`,
      { name, rows, shape: tensor.shape },
    );
  let place = tensors.indexOf(tensor);
  if (place < 0) place = tensors.push(tensor) - 1;
  const width = tensor.size / length;
  const size = count * width;
  return { name, tensor, place, offset: start * width, size, rowWidth: width };
}

/** No element may belong to two slots. */
function checkApart(slots: readonly Place[]): void {
  slots.forEach((slot, index) => {
    const other = slots
      .slice(0, index)
      .find(
        (each) =>
          each.tensor.storage === slot.tensor.storage &&
          each.offset < slot.offset + slot.size &&
          slot.offset < each.offset + each.size,
      );
    if (other)
      throw optimiserError(
        `'${slot.name}' and '${other.name}' train the same elements`,
        'Give every element to one group.',
        {
          names: [slot.name, other.name],
        },
      );
  });
}
