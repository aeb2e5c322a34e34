// Debugging aid: fills every value that a step makes with NaN bits before its first use, so that a kernel that reads what
// nobody wrote gives NaN instead of whatever an earlier step left there.
import { align4, storageUsage, type BufferPool, type PhysicalBuffer } from './buffers.js';
import { internal } from './internal.js';
import { touched, type Recording } from './recording.js';

/** Bytes of the pattern; longer values are filled piecewise. */
const PATTERN_BYTES = 2 ** 20;

/** What the encoder does before commands, by their index: fill the buffers of what begins there, between two passes. */
export type Poison = ReadonlyMap<number, (encoder: GPUCommandEncoder) => void>;

/** The storages that a command is the first to touch, by command; cleared and uploaded ones begin defined. */
function firstTouches(recording: Recording): ReadonlyMap<number, readonly number[]> {
  const seen = new Set(recording.uploads.map((upload) => upload.target));
  const kept = new Set(recording.kept);
  const result = new Map<number, number[]>();
  recording.commands.forEach((command, at) => {
    for (const index of touched(command)) {
      if (seen.has(index)) continue;
      seen.add(index);
      const storage = recording.storages[index]!;
      const own = storage[internal].kind === 'step' || kept.has(storage);
      if (!own || command.kind === 'clear') continue;
      result.set(at, [...(result.get(at) ?? []), index]);
    }
  });
  return result;
}

/** Makes poisons for recordings; owns the buffer that holds the pattern. */
export class Poisoner {
  #pattern: PhysicalBuffer | undefined;

  constructor(
    readonly device: GPUDevice,
    readonly pool: BufferPool,
  ) {}

  prepare(recording: Recording, physical: readonly (PhysicalBuffer | undefined)[]): Poison {
    const fresh = firstTouches(recording);
    const pattern = (this.#pattern ??= this.#makePattern());
    const fill = (targets: readonly number[]) => (encoder: GPUCommandEncoder) => {
      for (const index of targets) {
        const bytes = align4(recording.storages[index]!.byteLength);
        for (let at = 0; at < bytes; at += PATTERN_BYTES)
          encoder.copyBufferToBuffer(
            pattern.gpuBuffer,
            0,
            physical[index]!.gpuBuffer,
            at,
            Math.min(PATTERN_BYTES, bytes - at),
          );
      }
    };
    return new Map([...fresh].map(([command, targets]) => [command, fill(targets)]));
  }

  #makePattern(): PhysicalBuffer {
    const { buffer } = this.pool.take(PATTERN_BYTES, storageUsage, 'poison');
    this.device.queue.writeBuffer(buffer.gpuBuffer, 0, new Uint8Array(PATTERN_BYTES).fill(0xff));
    return buffer;
  }
}
