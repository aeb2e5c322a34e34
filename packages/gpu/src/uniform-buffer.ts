// One buffer for the uniforms of every step; steps run in order, so each overwrites the last one's.
import { usage, type BufferPool, type PhysicalBuffer } from './buffers.js';
import type { Check } from './health.js';

/** Smallest size in bytes. */
const FIRST_BYTES = 65536;

/** Grows to what the largest step needs. */
export class UniformBuffer {
  readonly #pool: BufferPool;
  #buffer: PhysicalBuffer | undefined;

  constructor(pool: BufferPool) {
    this.#pool = pool;
  }

  /** The buffer, with room for so many bytes; what making it goes wrong with is told through `checks`. */
  withRoom(bytes: number, checks: Check[]): PhysicalBuffer | undefined {
    if (bytes === 0 || (this.#buffer && !this.#buffer.destroyed && this.#buffer.bytes >= bytes)) return this.#buffer;
    // Doubling keeps the number of replacements, each of which renews bind groups, to a few in a program's life.
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, FIRST_BYTES)));
    const grown = this.#pool.take(size, usage.uniform | usage.copyTarget, 'uniforms', checks).buffer;
    this.free();
    this.#buffer = grown;
    return grown;
  }

  /** Gives the memory back; the next step takes some anew. */
  free(): void {
    if (this.#buffer) this.#pool.destroy(this.#buffer);
    this.#buffer = undefined;
  }
}
