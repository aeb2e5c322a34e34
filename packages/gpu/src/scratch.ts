// Buffers for step-local values, shared by all plans of a device: steps run one after another, so one set serves them all.
import { storageUsage, type BufferPool, type PhysicalBuffer } from './buffers.js';
import type { Check } from './health.js';

/** A buffer and the number of plans that use it. */
interface Entry {
  readonly buffer: PhysicalBuffer;
  plans: number;
}

/** Hands a plan its buffers; different plans get the same ones where the sizes allow. */
export class Scratch {
  #entries: Entry[] = [];

  constructor(readonly pool: BufferPool) {}

  /** One distinct buffer per requested size, each the smallest existing one that is large enough, or a new one. */
  acquire(sizes: readonly number[], label: string, checks: Check[]): PhysicalBuffer[] {
    this.#entries = this.#entries.filter((e) => !e.buffer.destroyed);
    const order = sizes.map((_, i) => i).sort((a, b) => sizes[b]! - sizes[a]! || a - b);
    const mine = new Set<PhysicalBuffer>();
    const result = Array.from<PhysicalBuffer>({ length: sizes.length });
    try {
      for (const i of order) {
        let best: Entry | undefined;
        for (const entry of this.#entries) {
          if (entry.buffer.bytes < sizes[i]! || mine.has(entry.buffer)) continue;
          if (!best || entry.buffer.bytes < best.buffer.bytes) best = entry;
        }
        if (!best) {
          best = { buffer: this.pool.take(sizes[i]!, storageUsage, `${label}: step memory`, checks).buffer, plans: 0 };
          this.#entries.push(best);
        }
        best.plans += 1;
        mine.add(best.buffer);
        result[i] = best.buffer;
      }
    } catch (error) {
      this.release([...mine]);
      throw error;
    }
    return result;
  }

  /** A plan is gone; buffers that no plan uses return to the pool. */
  release(buffers: readonly PhysicalBuffer[]): void {
    const gone = new Set(buffers);
    this.#entries = this.#entries.filter((entry) => {
      if (!gone.has(entry.buffer)) return true;
      entry.plans -= 1;
      if (entry.plans > 0) return true;
      this.pool.give(entry.buffer);
      return false;
    });
  }
}
