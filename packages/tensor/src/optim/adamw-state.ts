// What a checkpoint stores of AdamW, counts and moments: read out and taken over, all at once or one moment at a time.
import type { Gpu } from '@limn/gpu';
import type { Tensor } from '../tensor.js';
import { optimiserError, type Group, type Slot } from './adamw-groups.js';

/** What a checkpoint stores; `load` restores it bit for bit. */
export interface AdamWState {
  readonly version: 1;
  readonly groups: readonly {
    readonly name: string;
    /** Updates so far. */
    readonly count: number;
    /** Those of each task, in a group by task. */
    readonly taskCounts?: readonly number[];
    readonly params: readonly { readonly name: string; readonly first: Float32Array; readonly second: Float32Array }[];
  }[];
}

/** The same state with moments that are read one at a time, for checkpoints that need not fit the host's memory. */
export interface AdamWMoments {
  readonly groups: readonly {
    readonly name: string;
    /** Updates so far. */
    readonly count: number;
    /** Those of each task, in a group by task. */
    readonly taskCounts?: readonly number[];
    readonly params: readonly {
      readonly name: string;
      /** Elements of each moment. */
      readonly size: number;
      /** Running mean of g. */
      first(): Promise<Float32Array>;
      /** Running mean of g². */
      second(): Promise<Float32Array>;
    }[];
  }[];
}

/** Names and sizes of a state's groups. */
type Sizes = readonly {
  readonly name: string;
  readonly taskCounts?: readonly number[] | undefined;
  readonly params: readonly { readonly name: string; readonly size: number }[];
}[];

const cure = 'Load it into an optimiser built like the one that saved it.';

/** Counts now, and moments that are read when they are asked for. */
export function momentsOf(gpu: Gpu, groups: readonly Group[]): AdamWMoments {
  const read = (tensor: Tensor) => () => gpu.read(tensor.storage, 'f32');
  return {
    groups: groups.map(({ name, count, tasks, slots }) => ({
      name,
      count,
      ...(tasks ? { taskCounts: [...tasks.counts] } : {}),
      params: slots.map((slot) => ({
        name: slot.name,
        size: slot.size,
        first: read(slot.first),
        second: read(slot.second),
      })),
    })),
  };
}

/** All of it on the host. */
export async function stateOf(gpu: Gpu, groups: readonly Group[]): Promise<AdamWState> {
  const read: AdamWState['groups'][number][] = [];
  for (const { params, ...counts } of momentsOf(gpu, groups).groups) {
    const moments: AdamWState['groups'][number]['params'][number][] = [];
    for (const each of params)
      moments.push({ name: each.name, first: await each.first(), second: await each.second() });
    read.push({ ...counts, params: moments });
  }
  return { version: 1, groups: read };
}

/** Takes a state over; throws 'tensor/optimiser' for one of other groups, changing nothing. */
export function loadState(gpu: Gpu, own: readonly Group[], state: AdamWState): void {
  const sizes = state.groups.map((group) => ({
    name: group.name,
    taskCounts: group.taskCounts,
    params: group.params.map(({ name, first, second }) => ({
      name,
      size: first.length === second.length ? first.length : Number.NaN,
    })),
  }));
  expectAlike(own, sizes, state.version);
  state.groups.forEach(({ count, taskCounts, params }, index) => {
    const group = own[index] as Group;
    takeCounts(group, count, taskCounts);
    params.forEach(({ first, second }, place) => {
      const slot = group.slots[place] as Slot;
      gpu.write(slot.first.storage, first);
      gpu.write(slot.second.storage, second);
    });
  });
}

/** The same, one moment on the host at a time; throws 'tensor/optimiser' for other groups before anything is read. */
export async function loadMoments(gpu: Gpu, own: readonly Group[], { groups }: AdamWMoments): Promise<void> {
  expectAlike(own, groups, 1);
  for (const [index, { count, taskCounts, params }] of groups.entries()) {
    const group = own[index] as Group;
    for (const [place, each] of params.entries()) {
      const slot = group.slots[place] as Slot;
      for (const moment of ['first', 'second'] as const) {
        const values = await each[moment]();
        if (values.length !== slot.size)
          throw optimiserError(
            `the ${moment} moment of '${slot.name}' has ${values.length} values instead of ${slot.size}`,
            cure,
            { parameter: slot.name, moment, given: values.length, own: slot.size },
          );
        gpu.write(slot[moment].storage, values);
        // The driver's copy has left the host before the next one comes.
        await gpu.finished();
      }
    }
    takeCounts(group, count, taskCounts);
  }
}

function takeCounts(group: Group, count: number, taskCounts: readonly number[] = []): void {
  group.count = count;
  group.tasks?.counts.splice(0, taskCounts.length, ...taskCounts);
}

/** Throws unless a state's groups and parameters are the optimiser's own, in name, size and order. */
function expectAlike(groups: readonly Group[], given: Sizes, version: number): void {
  const shapeOf = (all: Sizes): string =>
    all
      .map(
        (group) =>
          `${group.name}${group.taskCounts ? ` of ${group.taskCounts.length} tasks` : ''}: ${group.params.map((each) => `${each.name} (${each.size})`).join(', ')}`,
      )
      .join('; ');
  const own = shapeOf(groups.map(({ name, tasks, slots }) => ({ name, taskCounts: tasks?.counts, params: slots })));
  const saved = shapeOf(given);
  if (version !== 1 || own !== saved)
    throw optimiserError('the state belongs to other groups or parameters', cure, { own, given: saved, version });
}
