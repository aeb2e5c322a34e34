// LoRAs in a checkpoint: those that are trained, with their moments, and those that are kept on the host.
import { LimnError } from '@limn/gpu';
import { damagedCheckpoint, type OpenedCheckpoint, type StatedTensor } from '@limn/hooks';
import type { LoraFactors } from '../lora/lora-weights.js';
import type { DiffStack } from '../diffs/diff-stack.js';
import type { StackUpdates } from './stack-updates.js';

/** A stack that is trained. */
export interface OpenStack {
  readonly stack: DiffStack;
  readonly updates: StackUpdates;
}

/** One map of a LoRA that a checkpoint holds, besides its numbers. */
export interface StoredModule {
  readonly name: string;
  readonly rank: number;
  readonly alpha: number;
}

const tensor = (name: string, size: number, values: () => Promise<Float32Array>): StatedTensor => ({
  name,
  type: 'F32',
  size,
  values,
});

/**
 * Factors and moments of a stack; they are read from the GPU while they are written.
 * @param nameOf what a place of the stack is called, for whoever diverges
 */
export function openTensors(
  { stack, updates }: OpenStack,
  update: number,
  nameOf: (place: number) => string,
): StatedTensor[] {
  return [
    ...stack.parameters.map(({ name, tensor: { storage, size } }) =>
      tensor(`factor/${name}`, size, async () => {
        const values = await stack.gpu.read(storage, 'f32');
        const width = size / stack.diffs.length;
        const odd = values.findIndex((value) => !Number.isFinite(value));
        if (odd >= 0) throw diverged(`${nameOf(Math.floor(odd / width))}: ${name} is not finite`, update);
        return values;
      }),
    ),
    ...updates
      .moments()
      .flatMap(({ name, size, first, second }) => [
        tensor(`first/${name}`, size, first),
        tensor(`second/${name}`, size, second),
      ]),
  ];
}

/**
 * Puts factors, moments and counts of `openTensors` back on the GPU.
 * @throws LimnError `checkpoint/damaged`
 */
export async function restoreStack(
  opened: OpenedCheckpoint,
  { stack, updates }: OpenStack,
  counts: { readonly count: number; readonly taskCounts: readonly number[] },
): Promise<void> {
  for (const { name, tensor } of stack.parameters) {
    const values = await opened.floats(`factor/${name}`);
    if (values.length !== tensor.size) throw damagedCheckpoint(`${name} has another size`);
    stack.gpu.write(tensor.storage, values);
  }
  await updates.load(counts, (kind, name) => opened.floats(`${kind}/${name}`));
}

/** The tensors `{prefix}/{map}.a` and `.b` of a LoRA on the host. */
export function keptTensors(prefix: string, modules: ReadonlyMap<string, LoraFactors>): StatedTensor[] {
  return Array.from(modules).flatMap(([name, { a, b }]) => [
    tensor(`${prefix}/${name}.a`, a.length, async () => a),
    tensor(`${prefix}/${name}.b`, b.length, async () => b),
  ]);
}

/** What a checkpoint says of a LoRA besides its tensors. */
export function storedModules(modules: ReadonlyMap<string, LoraFactors>): StoredModule[] {
  return Array.from(modules, ([name, { rank, alpha }]) => ({ name, rank, alpha }));
}

/**
 * Reads what `keptTensors` wrote.
 * @throws LimnError `checkpoint/damaged`
 */
export async function readKept(
  opened: OpenedCheckpoint,
  prefix: string,
  modules: readonly StoredModule[],
): Promise<Map<string, LoraFactors>> {
  const read = new Map<string, LoraFactors>();
  for (const { name, rank, alpha } of modules) {
    const a = await opened.floats(`${prefix}/${name}.a`);
    const b = await opened.floats(`${prefix}/${name}.b`);
    read.set(name, { a, b, rank, alpha });
  }
  return read;
}

/**
 * The factors of a LoRA that was trained.
 * @throws LimnError `training/diverged` for values that are not finite, by whose they are
 */
export function finiteFactors(
  modules: ReadonlyMap<string, LoraFactors>,
  who: string,
  update: number,
): ReadonlyMap<string, LoraFactors> {
  for (const [name, { a, b }] of modules)
    if (![a, b].every((values) => values.every(Number.isFinite)))
      throw diverged(`${who}: ${name} is not finite`, update);
  return modules;
}

/** The end of a training that left the numbers. */
export function diverged(what: string, update: number): LimnError {
  return new LimnError('training/diverged', `${what} at update ${update}.`, {
    details: { update },
    hint: 'Lower the rate, its own or that of all, or warm up for longer; or leave it out. The checkpoint before it is untouched.',
  });
}
