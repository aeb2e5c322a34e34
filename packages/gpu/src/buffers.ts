// Every GPUBuffer of a device: made inside error scopes, counted, pooled by size bucket, destroyed by hand.
import type { Counters } from './counters.js';
import { OutOfMemoryError, messageOf } from './errors.js';
import type { Check, Health } from './health.js';

/** GPUBufferUsage flags, spelt out because Node has no such global. */
export const usage = {
  mapRead: 1,
  copySource: 4,
  copyTarget: 8,
  uniform: 64,
  storage: 128,
  queryResolve: 512,
} as const;

/** What all storage buffers are made with, so that any of them can take any place. */
export const storageUsage = usage.storage | usage.copySource | usage.copyTarget;

/** One GPUBuffer. Storages come and go; physical buffers are what they live in. */
export interface PhysicalBuffer {
  readonly id: number;
  readonly gpuBuffer: GPUBuffer;
  readonly bytes: number;
  readonly usage: number;
  /** Set when WebGPU reported that the buffer could not be made. */
  failed: boolean;
  destroyed: boolean;
}

/** Smallest buffer, in bytes: also WebGPU's offset alignment. */
const SMALLEST = 256;

/** Size of the buffer that a request gets: eight steps per power of two, so at most 12.5 % is wasted above 2 KiB. */
export function bucketSize(bytes: number, limit: number): number {
  if (bytes <= SMALLEST) return Math.min(SMALLEST, limit);
  const step = Math.max(SMALLEST, 2 ** (Math.floor(Math.log2(bytes)) - 3));
  return Math.min(Math.ceil(bytes / step) * step, Math.floor(limit / 4) * 4);
}

/** Up to a multiple of four, which copies and bindings need. */
export function align4(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}

/** Makes, pools and destroys buffers. `onDestroy` lets caches drop what refers to one. */
export class BufferPool {
  onDestroy: (buffer: PhysicalBuffer) => void = () => undefined;
  readonly #device: GPUDevice;
  readonly #health: Health;
  readonly #counters: Counters;
  /** Idle buffers, the most recently returned last; they are few, so a list is searched. */
  readonly #idle: PhysicalBuffer[] = [];
  readonly #live = new Set<PhysicalBuffer>();
  #idleBytes = 0;
  #nextId = 1;

  /** `idleLimit`: bytes that returned buffers may hold before the oldest are destroyed. */
  constructor(
    device: GPUDevice,
    health: Health,
    counters: Counters,
    readonly idleLimit: number,
  ) {
    this.#device = device;
    this.#health = health;
    this.#counters = counters;
  }

  /** A buffer of at least `bytes`: the last one returned of that bucket and usage, or a new one. */
  take(bytes: number, flags: number, label: string, checks?: Check[]): { buffer: PhysicalBuffer; fresh: boolean } {
    return this.#takeSize(this.#sizeFor(bytes, label, bucketSize), flags, label, checks);
  }

  /** The same for what lives long, sized to the next 256 bytes: weights shall not waste what short-lived values may. */
  takeExact(bytes: number, flags: number, label: string): { buffer: PhysicalBuffer; fresh: boolean } {
    const exact = (n: number, limit: number): number =>
      Math.min(Math.ceil(n / SMALLEST) * SMALLEST, Math.floor(limit / 4) * 4);
    return this.#takeSize(this.#sizeFor(bytes, label, exact), flags, label);
  }

  #takeSize(size: number, flags: number, label: string, checks?: Check[]): { buffer: PhysicalBuffer; fresh: boolean } {
    for (let i = this.#idle.length - 1; i >= 0; i -= 1) {
      const buffer = this.#idle[i]!;
      if (buffer.bytes !== size || buffer.usage !== flags) continue;
      this.#idle.splice(i, 1);
      this.#idleBytes -= size;
      return { buffer, fresh: false };
    }
    return { buffer: this.#create(size, flags, label, checks), fresh: true };
  }

  /** Refuses what the device cannot hold before WebGPU is asked. */
  #sizeFor(bytes: number, label: string, round: (bytes: number, limit: number) => number): number {
    const limit = this.#device.limits.maxBufferSize;
    if (bytes > limit) throw tooLarge(bytes, limit, label);
    return round(bytes, limit);
  }

  /** Back to the pool, or destroyed when it failed or the pool is full. */
  give(buffer: PhysicalBuffer): void {
    if (buffer.destroyed) return;
    if (buffer.failed) return this.destroy(buffer);
    this.#idle.push(buffer);
    this.#idleBytes += buffer.bytes;
    while (this.#idleBytes > this.idleLimit && this.#idle.length > 0) this.#dropOldest();
  }

  destroy(buffer: PhysicalBuffer): void {
    if (buffer.destroyed) return;
    buffer.destroyed = true;
    this.#live.delete(buffer);
    this.#counters.buffersLive -= 1;
    this.#counters.bytesLive -= buffer.bytes;
    this.onDestroy(buffer);
    buffer.gpuBuffer.destroy();
  }

  /** Destroys every idle buffer. */
  trim(): void {
    while (this.#idle.length > 0) this.#dropOldest();
  }

  /** Destroys everything. */
  dispose(): void {
    this.trim();
    for (const buffer of this.#live) this.destroy(buffer);
  }

  #dropOldest(): void {
    const oldest = this.#idle.shift()!;
    this.#idleBytes -= oldest.bytes;
    this.destroy(oldest);
  }

  /** `checks` gets the creation's check; without it the next await on the device reports a failure. */
  #create(bytes: number, flags: number, label: string, checks?: Check[]): PhysicalBuffer {
    const counters = this.#counters;
    const explain = (error: GPUError | unknown): OutOfMemoryError =>
      new OutOfMemoryError(
        `cannot make a GPU buffer of ${bytes} bytes for '${label}' (${counters.bytesLive} bytes are live, a buffer may have ` +
          `${this.#device.limits.maxBufferSize}): ${error instanceof Object && 'message' in error ? String(error.message) : messageOf(error)}`,
        {
          details: {
            requested: bytes,
            label,
            live: counters.bytesLive,
            maxBufferSize: this.#device.limits.maxBufferSize,
          },
          hint: 'Use smaller batches, dispose what is not needed, or call gpu.trim().',
          cause: error,
        },
      );
    let made: PhysicalBuffer | undefined;
    try {
      const { value, check } = this.#health.scoped(
        () => this.#device.createBuffer({ size: bytes, usage: flags, label }),
        (error) => {
          if (made) {
            made.failed = true;
            this.#forgetIdle(made);
            this.destroy(made);
          }
          return explain(error);
        },
      );
      made = { id: this.#nextId++, gpuBuffer: value, bytes, usage: flags, failed: false, destroyed: false };
      if (checks) checks.push(check);
      else this.#health.report(check);
    } catch (error) {
      throw explain(error);
    }
    this.#live.add(made);
    counters.buffersCreated += 1;
    counters.buffersLive += 1;
    counters.bytesLive += bytes;
    counters.bytesPeak = Math.max(counters.bytesPeak, counters.bytesLive);
    return made;
  }

  #forgetIdle(buffer: PhysicalBuffer): void {
    const at = this.#idle.indexOf(buffer);
    if (at < 0) return;
    this.#idle.splice(at, 1);
    this.#idleBytes -= buffer.bytes;
  }
}

/** The refusal of a buffer that no device of these limits can hold. */
export function tooLarge(bytes: number, limit: number, label: string): OutOfMemoryError {
  return new OutOfMemoryError(
    `'${label}' needs a buffer of ${bytes} bytes, but this device allows at most ${limit} (maxBufferSize)`,
    {
      details: { requested: bytes, label, maxBufferSize: limit },
      hint: 'Split it into blocks of rows, or open the device with limits: "adapter".',
    },
  );
}
