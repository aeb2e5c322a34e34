// A Gpu: one device with its counters and capabilities; makes steps and persistent storages.
import { align4, storageUsage, tooLarge, type PhysicalBuffer } from './buffers.js';
import type { Capabilities } from './capabilities.js';
import { dryCapabilities } from './capabilities.js';
import { builtInChoices, type KernelChoices } from './choices.js';
import { Counters } from './counters.js';
import { dryError } from './dispatch-checks.js';
import { Engine } from './engine.js';
import { LimnError, type DeviceLostError } from './errors.js';
import { internal } from './internal.js';
import { Step } from './step.js';
import type { StepOptions } from './step-options.js';
import { assertAlive, assertMade } from './storage-checks.js';
import { retain, Storage, unretain } from './storage.js';
import type { KernelTiming } from './timing.js';

/** Seconds of work in one submit: long enough to keep the GPU busy, short enough for abort, progress and watchdogs. */
export const SUBMIT_SECONDS = 0.5;

/** What `read` can give back. */
export type TypedArrayOf = {
  f32: Float32Array<ArrayBuffer>;
  u32: Uint32Array<ArrayBuffer>;
  i32: Int32Array<ArrayBuffer>;
  bytes: ArrayBuffer;
};

/** What of a Gpu is neither its device nor what that can do. */
export interface GpuOptions {
  /** See `OpenOptions`. */
  readonly poison?: boolean;
  /** Kernels to take instead of what built-in rules say. */
  readonly choices?: KernelChoices;
}

/** What this package's modules share about a Gpu. */
interface GpuInternals {
  readonly engine: Engine | undefined;
  /** Takes back the buffer of a storage that is gone. */
  release(this: void, buffer: PhysicalBuffer): void;
  assertUsable(): void;
}

/** A device and everything made on it. Without a device ('dry') it records and plans, and refuses to run. */
export class Gpu {
  readonly capabilities: Capabilities;
  /** Kernels that ops take here instead of what their built-in rules say; empty unless given at open. They decide last bits. */
  readonly choices: KernelChoices;
  readonly counters = new Counters();
  /** Operations per submit. */
  readonly workBudgetFlops: number;
  /** How steps are timed that do not say so themselves, such as those that a method records; see `StepOptions.timing`. Default false. */
  timing: boolean | 'passes' = false;
  /** @internal */
  readonly [internal]: GpuInternals;
  #disposed = false;

  /** Made by `openGpu`, `openNodeGpu` and `dryGpu`. */
  constructor(
    device: GPUDevice | undefined,
    capabilities: Capabilities,
    workBudgetFlops: number,
    { poison = false, choices = builtInChoices }: GpuOptions = {},
  ) {
    this.capabilities = capabilities;
    this.choices = choices;
    this.workBudgetFlops = workBudgetFlops;
    const engine = device ? new Engine(device, this.counters, poison) : undefined;
    this[internal] = {
      engine,
      release: (buffer) => engine?.pool.give(buffer),
      assertUsable: () => this.#assertUsable(),
    };
  }

  /**
   * The WebGPU device, for code that needs what limn does not offer.
   * @throws LimnError `gpu/disposed`, `gpu/dry`
   */
  get device(): GPUDevice {
    return this.#engine('give a device').device;
  }

  /** Resolves when the device is lost, and on `dispose()`; never for a dry Gpu. */
  get lost(): Promise<DeviceLostError> {
    return this[internal].engine?.health.lost ?? new Promise(() => undefined);
  }

  /**
   * A new step. Steps may be recorded side by side; they run in the order they are submitted.
   * @throws LimnError `gpu/disposed`
   */
  step(options: StepOptions = {}): Step {
    this.#assertUsable();
    return new Step(this, options);
  }

  /**
   * A long-lived storage: zero, or a copy of `data` with zeros behind it.
   * @throws LimnError `gpu/disposed`, `gpu/dry`, `gpu/other-device`, `gpu/step-closed`, `gpu/step-order`, `gpu/write`
   */
  persistent(byteLength: number, options: { label?: string; data?: ArrayBufferView } = {}): Storage {
    this.#assertUsable();
    const { label = 'persistent', data } = options;
    const { engine } = this[internal];
    const limit = this.capabilities.limits.maxBufferSize;
    if (byteLength > limit) throw tooLarge(byteLength, limit, label);
    const storage = new Storage(byteLength, label, {
      kind: 'persistent',
      owner: this,
      buffer: undefined,
      home: undefined,
      references: 0,
      disposed: false,
      release: this[internal].release,
    });
    if (engine) {
      const { buffer, fresh } = engine.pool.takeExact(byteLength, storageUsage, label);
      storage[internal].buffer = buffer;
      if (!fresh && (data?.byteLength ?? 0) < byteLength) engine.clear(buffer);
    }
    if (data) this.write(storage, data);
    return storage;
  }

  /**
   * Writes `data` into a kept or persistent storage: after the steps submitted before, before those submitted later.
   * @throws LimnError `gpu/disposed`, `gpu/dry`, `gpu/other-device`, `gpu/step-closed`, `gpu/step-order`, `gpu/write`
   */
  write(storage: Storage, data: ArrayBufferView, byteOffset = 0): void {
    const buffer = this.#own(storage, 'write');
    const end = byteOffset + data.byteLength;
    const whole = data.byteLength % 4 === 0 || end === storage.byteLength;
    if (!Number.isInteger(byteOffset) || byteOffset < 0 || byteOffset % 4 !== 0 || end > storage.byteLength || !whole)
      throw new LimnError(
        'gpu/write',
        `cannot write ${data.byteLength} bytes at ${byteOffset} of '${storage.label}' (${storage.byteLength} bytes): multiples of four, inside the storage`,
        {
          details: { storage: storage.label, byteOffset, bytes: data.byteLength, byteLength: storage.byteLength },
        },
      );
    if (!buffer || data.byteLength === 0) return;
    const view = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    // A copy pads to four bytes, and replaces shared memory, which Dawn refuses.
    const direct = data.buffer instanceof ArrayBuffer && data.byteLength % 4 === 0;
    const bytes = direct ? (view as Uint8Array<ArrayBuffer>) : new Uint8Array(align4(data.byteLength));
    if (!direct) bytes.set(view);
    retain(storage);
    this.#engine('write').write(buffer, byteOffset, bytes, () => unretain(storage));
  }

  /**
   * The contents of a kept or persistent storage after the steps submitted so far: bytes, or an array of the given type.
   * @throws LimnError `gpu/disposed`, `gpu/dry`, `gpu/other-device`, `gpu/size`, `gpu/step-closed`, `gpu/step-order`
   */
  async read<T extends keyof TypedArrayOf = 'bytes'>(storage: Storage, type?: T): Promise<TypedArrayOf[T]> {
    const engine = this.#engine('read');
    const buffer = this.#own(storage, 'read')!;
    if (type !== undefined && type !== 'bytes' && storage.byteLength % 4 !== 0)
      throw new LimnError(
        'gpu/size',
        `'${storage.label}' has ${storage.byteLength} bytes, which is no array of ${type}`,
        {
          details: { storage: storage.label, byteLength: storage.byteLength, type },
          hint: 'Read it as bytes.',
        },
      );
    retain(storage);
    const bytes = await engine.read(buffer, storage.byteLength).finally(() => unretain(storage));
    const views = {
      f32: () => new Float32Array(bytes),
      u32: () => new Uint32Array(bytes),
      i32: () => new Int32Array(bytes),
      bytes: () => bytes,
    };
    return views[type ?? 'bytes']() as TypedArrayOf[T];
  }

  /**
   * Resolves when the device has done all that was written and submitted so far; until then it may hold copies of written bytes. At once
   * on a dry Gpu.
   * @throws LimnError `gpu/disposed`
   */
  async finished(): Promise<void> {
    this.#assertUsable();
    await this[internal].engine?.finished();
  }

  /**
   * GPU time by label over all steps that were timed since the last reset, longest first.
   * @throws LimnError `gpu/disposed`, `gpu/dry`, `gpu/timing-unavailable`
   */
  async timings(): Promise<KernelTiming[]> {
    const engine = this.#engine('time kernels');
    if (!this.capabilities.timestamps)
      throw new LimnError(
        'gpu/timing-unavailable',
        'this device has no timestamp queries, so kernels cannot be timed',
        {
          details: { adapter: this.capabilities.adapter.device },
          hint: 'Time whole steps on the host instead.',
        },
      );
    return engine.health.guard(engine.timing.read());
  }

  /** Sets counters and timings to zero; what is live stays counted. */
  resetCounters(): void {
    this.counters.reset();
    this[internal].engine?.timing.reset();
  }

  /** Gives back memory that is only kept for reuse: plans, their scratch buffers and the pool. */
  trim(): void {
    this[internal].engine?.trim();
  }

  /** Destroys every buffer and the device. What is still awaited rejects with DeviceLostError. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this[internal].engine?.dispose();
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #assertUsable(): void {
    if (this.#disposed) throw new LimnError('gpu/disposed', 'this Gpu was disposed', { hint: 'Open a new one.' });
    const lost = this[internal].engine?.health.lostError;
    if (lost) throw lost;
  }

  #engine(what: string): Engine {
    const { engine } = this[internal];
    if (!engine) throw dryError(what);
    this.#assertUsable();
    return engine;
  }

  /** The buffer of a storage that has one of its own; undefined on a dry Gpu. */
  #own(storage: Storage, what: string): PhysicalBuffer | undefined {
    this.#assertUsable();
    const state = storage[internal];
    assertAlive(storage, this, what);
    if (state.kind === 'step')
      throw new LimnError(
        'gpu/step-closed',
        `cannot ${what} '${storage.label}' outside its step '${state.home?.label}'`,
        {
          details: { storage: storage.label, what },
          hint: `Use step.${what === 'read' ? 'read' : 'upload'}(), or keep() it.`,
        },
      );
    assertMade(storage, `gpu.${what}`);
    return state.buffer;
  }
}

/**
 * A Gpu without a device: steps record and plan as on a device of these capabilities (WebGPU's defaults if none are given), with these
 * kernel choices.
 */
export function dryGpu(
  capabilities: Partial<Capabilities> = {},
  options: { readonly choices?: KernelChoices } = {},
): Gpu {
  const all = Object.freeze({ ...dryCapabilities, ...capabilities });
  return new Gpu(undefined, all, all.flopsPerSecond * SUBMIT_SECONDS, options);
}
