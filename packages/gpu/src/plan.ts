// From a recording to its memory plan, its key and its report; needs no device.
import { align4, bucketSize } from './buffers.js';
import { internal } from './internal.js';
import { assignBuffers, lowerBound, type Lifetime } from './liveness.js';
import { touched, type Command, type Recording } from './recording.js';

/** What a step costs, known without running it. */
export interface PlanReport {
  readonly dispatches: number;
  readonly flops: number;
  /** Bytes of the buffers that hold the step's own values. */
  readonly bytesPeak: number;
  /** Most bytes of such values alive at one time: what a perfect plan could reach at best. */
  readonly bytesLowerBound: number;
  readonly submits: number;
  /** Bytes of the values that `keep` takes out of the step. */
  readonly bytesKept: number;
  /** Bytes sent from the host by uploads. */
  readonly bytesUploaded: number;
  /** The programs that run, sorted: the kernel plan that results and checkpoints record. */
  readonly kernels: readonly string[];
}

/** Where the step-local values of a recording live: buffer index per storage (-1: not step-local, or never used). */
export interface MemoryPlan {
  readonly bufferOf: readonly number[];
  readonly bufferBytes: readonly number[];
  readonly bytesLowerBound: number;
}

/** Lifetimes of step-local storages, then buffers for them. */
export function planMemory(recording: Recording, maxBufferSize: number): MemoryPlan {
  const count = recording.storages.length;
  const first = Array.from({ length: count }, () => Number.POSITIVE_INFINITY);
  const last = Array.from({ length: count }, () => -1);
  recording.commands.forEach((command, at) => {
    for (const index of touched(command)) {
      first[index] = Math.min(first[index]!, at);
      last[index] = at;
    }
  });
  // Uploads are written before the first command, so nothing may use their buffer before them.
  for (const { target } of recording.uploads) first[target] = -1;
  const planned: number[] = [];
  const lifetimes: Lifetime[] = [];
  const exact: Lifetime[] = [];
  recording.storages.forEach((storage, i) => {
    if (storage[internal].kind !== 'step' || last[i]! < 0) return;
    planned.push(i);
    lifetimes.push({ bytes: bucketSize(storage.byteLength, maxBufferSize), first: first[i]!, last: last[i]! });
    exact.push({ bytes: align4(storage.byteLength), first: first[i]!, last: last[i]! });
  });
  const { bufferOf, bufferBytes } = assignBuffers(lifetimes);
  const all = Array.from({ length: count }, () => -1);
  planned.forEach((storage, i) => (all[storage] = bufferOf[i]!));
  return { bufferOf: all, bufferBytes, bytesLowerBound: lowerBound(exact) };
}

/**
 * Everything that decides memory, pipelines and bind-group topology, and nothing else: not uniform values, not upload contents,
 * not which physical buffers the step's kept and persistent storages have.
 */
export function planKey(recording: Recording): string {
  const externals = new Map<unknown, number>();
  const storages = recording.storages.map((storage) => {
    const { kind, buffer } = storage[internal];
    if (kind === 'step') return `s${storage.byteLength}`;
    const identity = buffer ?? storage;
    if (!externals.has(identity)) externals.set(identity, externals.size);
    return `x${externals.get(identity)}:${storage.byteLength}`;
  });
  const uploads = recording.uploads.map((u) => u.target);
  return `${storages.join()}|${uploads.join()}|${recording.commands.map(commandKey).join(';')}`;
}

function commandKey(command: Command): string {
  switch (command.kind) {
    case 'dispatch':
      return `d${command.program.id}(${command.slots.join()})${command.grid.join('x')}@${command.uniformOffset}`;
    case 'copy':
      return `c${command.from},${command.to},${command.fromOffset},${command.toOffset},${command.bytes}`;
    case 'clear':
      return `z${command.target}`;
    case 'read':
      return `r${command.source}`;
  }
}

/** Total work of a recording in floating-point operations. */
export function totalFlops(commands: readonly Command[]): number {
  let flops = 0;
  for (const command of commands) if (command.kind === 'dispatch') flops += command.flops;
  return flops;
}

/**
 * Cuts commands into ceil(work / budget) consecutive segments of about equal work, as [start, end) pairs.
 * A dispatch belongs to the segment in which its work begins, so one that exceeds the budget alone still runs, alone or nearly so.
 */
export function cutByBudget(commands: readonly Command[], budgetFlops: number): (readonly [number, number])[] {
  if (commands.length === 0) return [];
  const total = totalFlops(commands);
  const count = Math.max(1, Math.ceil(total / budgetFlops));
  const segments: [number, number][] = [];
  let before = 0;
  let current = -1;
  commands.forEach((command, i) => {
    const work = command.kind === 'dispatch' ? command.flops : 0;
    const wanted = total > 0 ? Math.min(count - 1, Math.floor((before * count) / total)) : 0;
    if (wanted > current && (work > 0 || current < 0)) {
      segments.push([i, i + 1]);
      current = wanted;
    } else segments.at(-1)![1] = i + 1;
    before += work;
  });
  return segments;
}

/** The report of a recording as it stands. */
export function reportPlan(recording: Recording, maxBufferSize: number, budgetFlops: number): PlanReport {
  const memory = planMemory(recording, maxBufferSize);
  const { commands } = recording;
  const dispatches = commands.filter((c) => c.kind === 'dispatch');
  return {
    dispatches: dispatches.length,
    flops: totalFlops(commands),
    bytesPeak: memory.bufferBytes.reduce((sum, bytes) => sum + bytes, 0),
    bytesLowerBound: memory.bytesLowerBound,
    submits: cutByBudget(commands, budgetFlops).length,
    bytesKept: recording.kept.reduce((sum, storage) => sum + storage.byteLength, 0),
    bytesUploaded: recording.uploads.reduce((sum, u) => sum + u.data.byteLength, 0),
    kernels: [...new Set(dispatches.map((d) => d.program.label))].sort(),
  };
}
