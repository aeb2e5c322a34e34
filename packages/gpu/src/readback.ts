// Brings GPU ranges to the host through a few pooled staging buffers, many ranges per map.
import { align4, usage, type BufferPool, type PhysicalBuffer } from './buffers.js';
import type { Check } from './health.js';

/** Ranges of one staging buffer grow up to this many bytes before the next buffer is begun. */
const CHUNK = 64 * 2 ** 20;

interface Range {
  readonly chunk: number;
  readonly offset: number;
  readonly bytes: number;
}

/** The reads of one submit: copies are encoded first, then everything is mapped and copied out. */
export class Readback {
  readonly #ranges: Range[] = [];
  readonly #chunks: { size: number; buffer: PhysicalBuffer | undefined }[] = [];

  constructor(readonly pool: BufferPool) {}

  get empty(): boolean {
    return this.#ranges.length === 0;
  }

  /** Reserves room for `bytes`; reads are answered in the order of these calls. */
  reserve(bytes: number): void {
    // Mapped ranges must begin at multiples of eight.
    const padded = Math.ceil(bytes / 8) * 8;
    let chunk = this.#chunks.length - 1;
    if (chunk < 0 || this.#chunks[chunk]!.size + padded > CHUNK)
      chunk = this.#chunks.push({ size: 0, buffer: undefined }) - 1;
    this.#ranges.push({ chunk, offset: this.#chunks[chunk]!.size, bytes });
    this.#chunks[chunk]!.size += padded;
  }

  /** Takes the staging buffers, after the last `reserve`. */
  open(checks?: Check[]): void {
    for (const chunk of this.#chunks)
      chunk.buffer = this.pool.take(chunk.size, usage.mapRead | usage.copyTarget, 'read-back', checks).buffer;
  }

  /** Encodes the copy for the n-th reserved range. */
  copy(encoder: GPUCommandEncoder, n: number, source: GPUBuffer, sourceOffset = 0): void {
    const { chunk, offset, bytes } = this.#ranges[n]!;
    encoder.copyBufferToBuffer(source, sourceOffset, this.#chunks[chunk]!.buffer!.gpuBuffer, offset, align4(bytes));
  }

  /** After the submit: the bytes of every range, and the staging buffers back in the pool. */
  async collect(): Promise<ArrayBuffer[]> {
    await Promise.all(this.#chunks.map(({ buffer, size }) => buffer!.gpuBuffer.mapAsync(1, 0, size)));
    const results = this.#ranges.map(({ chunk, offset, bytes }) => {
      return this.#chunks[chunk]!.buffer!.gpuBuffer.getMappedRange(offset, align4(bytes)).slice(0, bytes);
    });
    for (const chunk of this.#chunks) {
      chunk.buffer!.gpuBuffer.unmap();
      this.pool.give(chunk.buffer!);
      chunk.buffer = undefined;
    }
    return results;
  }

  /** After a failure: nothing mapped or pending stays behind. */
  abandon(): void {
    for (const chunk of this.#chunks) {
      if (chunk.buffer) this.pool.destroy(chunk.buffer);
      chunk.buffer = undefined;
    }
  }
}
