// Refusals of dispatches that WebGPU would refuse later, or run wrongly.
import { LimnError } from './errors.js';
import type { AnyShader, Grid } from './kernel.js';
import type { Storage } from './storage.js';

/** A binding name that is missing or that the kernel does not have. */
export function bindingError(
  shader: AnyShader,
  name: string,
  problem: string,
  given: Readonly<Record<string, Storage>>,
): LimnError {
  const expected = shader.bindings.map((b) => b.name);
  return new LimnError(
    'gpu/binding',
    `kernel ${shader.name}: binding '${name}' ${problem}; it has ${expected.join(', ')}`,
    {
      details: { kernel: shader.name, binding: name, expected, given: Object.keys(given) },
    },
  );
}

/** Workgroup counts are whole numbers within the device's limit (65,535 everywhere). */
export function assertGrid(shader: AnyShader, grid: Grid, limit: number): void {
  if (grid.length === 3 && grid.every((n) => Number.isInteger(n) && n >= 0 && n <= limit)) return;
  throw new LimnError(
    'gpu/grid',
    `kernel ${shader.name}: a grid of ${grid.join(' × ')} workgroups is not possible: three whole numbers, each at most ${limit}`,
    {
      details: { kernel: shader.name, grid: [...grid], limit },
      hint: 'Fold a long dimension into two.',
    },
  );
}

/** One storage in two bindings is allowed only when both are read. `slots[i]` identifies the storage of binding i. */
export function assertNoAliasing(shader: AnyShader, slots: readonly number[], labelOf: (slot: number) => string): void {
  slots.forEach((slot, i) => {
    const j = slots.indexOf(slot);
    if (j === i || (shader.bindings[i]!.access === 'read' && shader.bindings[j]!.access === 'read')) return;
    const names = [shader.bindings[j]!.name, shader.bindings[i]!.name];
    throw new LimnError(
      'gpu/aliasing',
      `kernel ${shader.name}: '${labelOf(slot)}' is bound as ${names.join(' and as ')}, and one of them is written`,
      {
        details: { kernel: shader.name, bindings: names },
        hint: 'Use an in-place kernel with one read_write binding, or a second storage.',
      },
    );
  });
}

/** A storage larger than one binding may be. */
export function assertBindable(shader: AnyShader, name: string, storage: Storage, limit: number): void {
  if (storage.byteLength <= limit) return;
  throw new LimnError(
    'gpu/binding-size',
    `kernel ${shader.name}: '${storage.label}' (${name}) has ${storage.byteLength} bytes; this device binds at most ${limit}`,
    {
      details: { kernel: shader.name, binding: name, bytes: storage.byteLength, limit },
      hint: 'Split it into blocks of rows, or open the device with limits: "adapter".',
    },
  );
}

/** What a Gpu without a device refuses. */
export function dryError(what: string): LimnError {
  return new LimnError('gpu/dry', `cannot ${what} on a dry Gpu: it has no device and only makes plans`, {
    hint: 'Open a device with openGpu() or openNodeGpu().',
  });
}
