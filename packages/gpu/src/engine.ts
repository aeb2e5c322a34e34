// Runs recordings on a device: plan, encode, submit in cuts, read back; one engine per Gpu.
import { throwIfAborted } from './abort.js';
import { BindGroupCache } from './bind-groups.js';
import { BufferPool, type PhysicalBuffer } from './buffers.js';
import type { Counters } from './counters.js';
import { explainGpuError, Health, type Check } from './health.js';
import { encodeCommands } from './encode.js';
import { PipelineCache } from './pipelines.js';
import { PlanCache, type Plan } from './plan-cache.js';
import { cutByBudget, totalFlops } from './plan.js';
import { Poisoner } from './poison.js';
import { Readback } from './readback.js';
import type { Recording } from './recording.js';
import { unretain } from './storage.js';
import { SubmissionQueue } from './submission-queue.js';
import { TimingLedger } from './timing.js';
import { UniformBuffer } from './uniform-buffer.js';

/** Work done so far and in all, in floating-point operations. */
export interface Progress {
  readonly done: number;
  readonly total: number;
}

/** How one step runs. */
export interface RunOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly timing: boolean | 'passes';
  readonly budgetFlops: number;
}

/** A step on its way: what must be checked, and where its reads will arrive. */
interface InFlight {
  plan: Plan | undefined;
  readonly checks: Check[];
  readonly readback: Readback;
}

/** Idle buffers of the pool may hold this many bytes. */
const IDLE_BYTES = 512 * 2 ** 20;

/** All that belongs to one open device. */
export class Engine {
  readonly health: Health;
  readonly pool: BufferPool;
  readonly queue = new SubmissionQueue();
  readonly timing: TimingLedger;
  readonly #pipelines: PipelineCache;
  readonly #groups: BindGroupCache;
  readonly #plans: PlanCache;
  readonly #uniforms: UniformBuffer;
  readonly #poisoner: Poisoner | undefined;

  constructor(
    readonly device: GPUDevice,
    readonly counters: Counters,
    poison: boolean,
  ) {
    this.health = new Health(device);
    this.pool = new BufferPool(device, this.health, counters, IDLE_BYTES);
    this.timing = new TimingLedger(device, this.pool);
    this.#uniforms = new UniformBuffer(this.pool);
    this.#pipelines = new PipelineCache(device, this.health, counters);
    this.#groups = new BindGroupCache(device, counters);
    this.#plans = new PlanCache(this.#pipelines, this.#groups, counters, this.pool, device.limits.maxBufferSize);
    if (poison) this.#poisoner = new Poisoner(device, this.pool);
    this.pool.onDestroy = (buffer) => this.#groups.forget(buffer);
  }

  /** Runs a recording after those before it; resolves to its reads when the GPU has done all of it. */
  async execute(recording: Recording, options: RunOptions): Promise<ArrayBuffer[]> {
    const flight: InFlight = { plan: undefined, checks: [], readback: new Readback(this.pool) };
    const sent = this.queue.run(() => this.#send(recording, options, flight));
    try {
      await this.health.guard(sent);
      return await this.#finish(flight, recording, options);
    } catch (error) {
      flight.readback.abandon();
      throw error;
    }
  }

  /** Writes host bytes into a buffer, in order with the steps; `done` is called when that has happened. */
  write(buffer: PhysicalBuffer, offset: number, data: Uint8Array<ArrayBuffer>, done: () => void): void {
    this.counters.uploads += 1;
    const bytes = this.queue.idle ? data : data.slice();
    this.#enqueue('a write', () => {
      try {
        this.device.queue.writeBuffer(buffer.gpuBuffer, offset, bytes);
      } finally {
        done();
      }
    });
  }

  /** Sets a whole buffer to zero, in order with the steps. */
  clear(buffer: PhysicalBuffer): void {
    this.#enqueue('a clear', () => {
      const encoder = this.device.createCommandEncoder({ label: 'clear' });
      encoder.clearBuffer(buffer.gpuBuffer);
      this.#submit(encoder);
    });
  }

  /** A job without a promise of its own: what fails in it fails the next thing awaited. */
  #enqueue(what: string, job: () => void): void {
    const scoped = (): void =>
      this.health.report(this.health.scoped(job, (error) => explainGpuError(error, `in ${what}`)).check);
    this.queue.run(scoped).catch((error: unknown) => this.health.note(error));
  }

  /** Copies a buffer's first `bytes` to the host, after the steps submitted before. */
  async read(buffer: PhysicalBuffer, bytes: number): Promise<ArrayBuffer> {
    const readback = new Readback(this.pool);
    readback.reserve(bytes);
    try {
      const checks: Check[] = [];
      const copy = (): void => {
        readback.open(checks);
        const encoder = this.device.createCommandEncoder({ label: 'read' });
        readback.copy(encoder, 0, buffer.gpuBuffer);
        this.#submit(encoder);
      };
      await this.health.guard(
        this.queue.run(() => {
          checks.push(this.health.scoped(copy, (error) => explainGpuError(error, 'in a read')).check);
        }),
      );
      await this.#throwFirst(checks);
      this.counters.readbacks += 1;
      const [result] = await this.health.guard(readback.collect());
      await this.health.settle();
      return result!;
    } catch (error) {
      readback.abandon();
      throw error;
    }
  }

  /** Makes the pipelines of a recording that are not there yet, without running anything. */
  async compile(recording: Recording): Promise<void> {
    const programs = new Set(recording.commands.flatMap((c) => (c.kind === 'dispatch' ? [c.program] : [])));
    await this.health.guard(Promise.all(Array.from(programs, (program) => this.#pipelines.compile(program))));
    await this.health.settle();
  }

  /** Resolves when every write and submit before has been done. */
  async finished(): Promise<void> {
    await this.health.guard(this.queue.run(() => this.device.queue.onSubmittedWorkDone()));
    await this.health.settle();
  }

  /** Drops plans and idle buffers, once no step is under way that needs them. */
  trim(): void {
    this.#enqueue('a trim', () => {
      this.#plans.clear();
      this.#uniforms.free();
      this.pool.trim();
    });
  }

  dispose(): void {
    this.pool.dispose();
    this.device.destroy();
  }

  /** Encodes and submits. Synchronous for a step within its work budget; else waits at every cut. */
  #send(recording: Recording, options: RunOptions, flight: InFlight): void | Promise<void> {
    let later: void | Promise<void>;
    try {
      later = this.#sendSegments(recording, options, flight);
    } catch (error) {
      recording.storages.forEach(unretain);
      throw error;
    }
    if (!later) recording.storages.forEach(unretain);
    return later?.finally(() => recording.storages.forEach(unretain));
  }

  #sendSegments(recording: Recording, options: RunOptions, flight: InFlight): void | Promise<void> {
    const total = totalFlops(recording.commands);
    throwIfAborted(options.signal, `step '${recording.label}'`, { done: 0, total });
    if (this.health.lostError) throw this.health.lostError;
    const prepared = this.#prepare(recording, flight);
    const segments = cutByBudget(recording.commands, options.budgetFlops);
    const send = (n: number): void => {
      const [start, end] = segments[n]!;
      const encoder = this.device.createCommandEncoder({ label: recording.label });
      const whole = options.timing === 'passes' ? recording.label : undefined;
      const timing = options.timing ? this.timing.begin(whole) : undefined;
      encodeCommands(encoder, recording.commands, start, end, prepared, timing);
      timing?.finish(encoder);
      this.#submit(encoder);
      if (timing) this.timing.add(timing);
      for (let i = start; i < end; i += 1)
        if (recording.commands[i]!.kind === 'dispatch') this.counters.dispatches += 1;
    };
    if (segments.length > 0) this.#checked(flight, recording.label, () => send(0));
    return segments.length > 1 ? this.#sendRest(recording, options, flight, segments, send) : undefined;
  }

  async #sendRest(
    recording: Recording,
    options: RunOptions,
    flight: InFlight,
    segments: readonly (readonly [number, number])[],
    send: (n: number) => void,
  ): Promise<void> {
    const total = totalFlops(recording.commands);
    for (let n = 1; n < segments.length; n += 1) {
      await this.health.guard(this.device.queue.onSubmittedWorkDone());
      await this.#throwFailed(flight);
      const done = totalFlops(recording.commands.slice(0, segments[n]![0]));
      options.onProgress?.({ done, total });
      throwIfAborted(options.signal, `step '${recording.label}'`, { done, total });
      this.#checked(flight, recording.label, () => send(n));
    }
  }

  /** Plan, memory, bind groups and host data: everything before the first command. */
  #prepare(recording: Recording, flight: InFlight): Parameters<typeof encodeCommands>[4] {
    const { checks, readback } = flight;
    for (const command of recording.commands)
      if (command.kind === 'read') readback.reserve(recording.storages[command.source]!.byteLength);
    const plan = this.#plans.get(recording, checks);
    flight.plan = plan;
    readback.open(checks);
    for (const pipeline of plan.distinct) checks.push(pipeline.check);
    const uniforms = this.#uniforms.withRoom(recording.uniforms.byteLength, checks);
    return this.#checked(flight, recording.label, () => {
      const physical = this.#plans.resolve(plan, recording);
      const groups = this.#plans.bind(plan, recording, physical, uniforms);
      if (uniforms && recording.uniforms.byteLength > 0)
        this.device.queue.writeBuffer(uniforms.gpuBuffer, 0, recording.uniforms.bytes);
      for (const { target, data } of recording.uploads) {
        const buffer = physical[target];
        if (!buffer) continue;
        this.device.queue.writeBuffer(buffer.gpuBuffer, 0, data);
        this.counters.uploads += 1;
      }
      const poison = this.#poisoner?.prepare(recording, physical);
      return { pipelines: plan.pipelines, groups, physical, readback, poison };
    });
  }

  #checked<T>(flight: InFlight, label: string, body: () => T): T {
    const { value, check } = this.health.scoped(body, (error) => explainGpuError(error, `in step '${label}'`));
    flight.checks.push(check);
    return value;
  }

  #submit(encoder: GPUCommandEncoder): void {
    this.device.queue.submit([encoder.finish()]);
    this.counters.submits += 1;
  }

  async #throwFailed(flight: InFlight): Promise<void> {
    try {
      await this.#throwFirst(flight.checks);
    } catch (error) {
      // In its turn, since a step of the same plan may be between two cuts.
      if (flight.plan)
        this.#enqueue('the end of a plan', () => {
          this.#plans.drop(flight.plan!);
          this.#groups.clear();
        });
      throw error;
    }
    flight.checks.length = 0;
  }

  async #throwFirst(checks: readonly Check[]): Promise<void> {
    const failures = await this.health.guard(Promise.all(checks));
    // What failed before (the making of a buffer that is used here, say) explains more than what followed from it.
    await this.health.settle();
    const first = failures.find((failure) => failure !== undefined);
    if (first) throw first;
  }

  async #finish(flight: InFlight, recording: Recording, options: RunOptions): Promise<ArrayBuffer[]> {
    const { readback } = flight;
    await this.#throwFailed(flight);
    let results: ArrayBuffer[] = [];
    if (readback.empty) await this.health.guard(this.device.queue.onSubmittedWorkDone());
    else {
      results = await this.health.guard(readback.collect());
      this.counters.readbacks += results.length;
    }
    await this.health.settle();
    const total = totalFlops(recording.commands);
    options.onProgress?.({ done: total, total });
    return results;
  }
}
