// A step: records work, plans its memory, runs once; the unit of encoding, memory and time.
import { align4, storageUsage } from './buffers.js';
import { assertBindable, assertGrid, assertNoAliasing, bindingError, dryError } from './dispatch-checks.js';
import { LimnError } from './errors.js';
import type { RunOptions } from './engine.js';
import type { Gpu } from './gpu.js';
import { internal } from './internal.js';
import type { AnyShader, BindingsOf, Kernel, OverridesOf, UniformsOf } from './kernel.js';
import { reportPlan, type PlanReport } from './plan.js';
import { settleProgram } from './program.js';
import type { CopyRange, DispatchOptions, StepOptions } from './step-options.js';
import { assertAlive, assertCopy, assertMade, otherStep, readBeforeWrite } from './storage-checks.js';
import type { Recording } from './recording.js';
import { retain, Storage, unretain, type StorageHome } from './storage.js';
import { UniformBlock } from './uniforms.js';

/** Records dispatches over storages. Nothing runs until `submit` or `read`; then everything runs in the order recorded. */
export class Step {
  readonly gpu: Gpu;
  readonly label: string;
  readonly #options: StepOptions;
  readonly #recording: Recording;
  readonly #indices = new Map<Storage, number>();
  readonly #written = new Set<number>();
  readonly #readers: { resolve: (data: ArrayBuffer) => void; reject: (error: unknown) => void }[] = [];
  readonly #home: StorageHome;
  #result: Promise<void> | undefined;

  /** Steps are made by `gpu.step()`. */
  constructor(gpu: Gpu, options: StepOptions = {}) {
    this.gpu = gpu;
    this.label = options.label ?? 'step';
    this.#home = { label: this.label, phase: 'open' };
    this.#options = options;
    this.#recording = {
      label: this.label,
      commands: [],
      storages: [],
      uploads: [],
      kept: [],
      uniforms: new UniformBlock(),
    };
  }

  /** 'open' while recording. */
  get phase(): StorageHome['phase'] {
    return this.#home.phase;
  }

  /**
   * Records one kernel run. Checks names, uniforms, grid, sizes and aliasing at once.
   * A 'write' binding may be updated in place; no storage may be bound twice when one of the bindings writes.
   * @throws LimnError `gpu/aliasing`, `gpu/binding`, `gpu/binding-size`, `gpu/disposed`, `gpu/grid`, `gpu/other-device`, `gpu/other-step`,
   * `gpu/override`, `gpu/read-before-write`, `gpu/step-closed`, `gpu/variant`, `gpu/work`
   */
  dispatch<S extends AnyShader>(
    kernel: Kernel<S>,
    bindings: BindingsOf<S>,
    uniforms: UniformsOf<S>,
    options: DispatchOptions<S> = {},
  ): void {
    this.#assertOpen('dispatch');
    const { shader } = kernel;
    const { capabilities } = this.gpu;
    const tuned = kernel.tune ? { ...kernel.tune(capabilities), ...options.overrides } : options.overrides;
    const program = settleProgram(shader, capabilities, options.variant, tuned);
    const label = options.label ?? shader.name;
    const given: Readonly<Record<string, Storage>> = bindings;
    const slots = shader.bindings.map(({ name }) => {
      const storage = given[name];
      if (!(storage instanceof Storage)) throw bindingError(shader, name, 'is missing', given);
      assertBindable(shader, name, storage, capabilities.limits.maxStorageBufferBindingSize);
      return this.#use(storage, `kernel ${shader.name}, binding ${name}`);
    });
    if (Object.keys(given).length !== slots.length) {
      const known = new Set(shader.bindings.map((b) => b.name));
      throw bindingError(
        shader,
        Object.keys(given).find((name) => !known.has(name))!,
        'is unknown',
        given,
      );
    }
    assertNoAliasing(shader, slots, (slot) => this.#recording.storages[slot]!.label);
    // Before grid and work, which are computed from the uniforms.
    const uniformOffset = shader.params.length > 0 ? this.#recording.uniforms.push(shader, uniforms) : -1;
    const overrides = program.overrides as OverridesOf<S>;
    const grid = options.grid ?? kernel.grid(uniforms, overrides);
    assertGrid(shader, grid, capabilities.limits.maxComputeWorkgroupsPerDimension);
    const flops = kernel.work
      ? kernel.work(uniforms)
      : slots.reduce((sum, s) => sum + this.#recording.storages[s]!.byteLength, 0);
    if (!(Number.isFinite(flops) && flops >= 0))
      throw new LimnError('gpu/work', `kernel ${shader.name}: work is ${flops}, not a finite count of operations`, {
        details: { kernel: shader.name, flops },
      });
    shader.bindings.forEach(({ name, access }, i) => {
      if (access === 'read') this.#assertWritten(slots[i]!, `kernel ${shader.name} (binding ${name})`);
    });
    shader.bindings.forEach(({ access }, i) => access === 'write' && this.#written.add(slots[i]!));
    this.#recording.commands.push({ kind: 'dispatch', program, slots, grid, uniformOffset, flops, label });
  }

  /**
   * A step-local storage. It holds nothing defined until a kernel, copy or clear has written it.
   * @throws LimnError `gpu/disposed`, `gpu/other-device`, `gpu/other-step`, `gpu/step-closed`
   */
  allocate(byteLength: number, label = 'values'): Storage {
    this.#assertOpen('allocate');
    const storage = new Storage(byteLength, label, {
      kind: 'step',
      owner: this.gpu,
      buffer: undefined,
      home: this.#home,
      references: 0,
      disposed: false,
      release: this.gpu[internal].release,
    });
    this.#use(storage, 'allocate');
    return storage;
  }

  /**
   * A step-local storage filled with a copy of `data` before the step's first command.
   * @throws LimnError `gpu/disposed`, `gpu/other-device`, `gpu/other-step`, `gpu/step-closed`
   */
  upload(data: ArrayBufferView, label = 'upload'): Storage {
    const storage = this.allocate(data.byteLength, label);
    const target = this.#indices.get(storage)!;
    const bytes = new Uint8Array(align4(data.byteLength));
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    this.#recording.uploads.push({ target, data: bytes });
    this.#written.add(target);
    return storage;
  }

  /**
   * Copies bytes between two different storages.
   * @throws LimnError `gpu/copy`, `gpu/disposed`, `gpu/other-device`, `gpu/other-step`, `gpu/read-before-write`, `gpu/step-closed`
   */
  copy(from: Storage, to: Storage, range: CopyRange = {}): void {
    this.#assertOpen('copy');
    const { fromOffset = 0, toOffset = 0 } = range;
    const bytes = range.byteLength ?? Math.min(from.byteLength - fromOffset, to.byteLength - toOffset);
    assertCopy(from, to, fromOffset, toOffset, bytes);
    const source = this.#use(from, 'copy');
    const target = this.#use(to, 'copy');
    this.#assertWritten(source, 'copy');
    this.#written.add(target);
    this.#recording.commands.push({ kind: 'copy', from: source, to: target, fromOffset, toOffset, bytes });
  }

  /**
   * Sets a storage to zero.
   * @throws LimnError `gpu/disposed`, `gpu/other-device`, `gpu/other-step`, `gpu/step-closed`
   */
  clear(storage: Storage): void {
    this.#assertOpen('clear');
    const target = this.#use(storage, 'clear');
    this.#written.add(target);
    this.#recording.commands.push({ kind: 'clear', target, bytes: align4(storage.byteLength) });
  }

  /**
   * Lets a step-local storage outlive the step: it gets a buffer of its own until `dispose()`. Returns the same object.
   * @throws LimnError `gpu/disposed`, `gpu/other-device`, `gpu/other-step`, `gpu/step-closed`
   */
  keep(storage: Storage): Storage {
    this.#assertOpen('keep');
    this.#use(storage, 'keep');
    const state = storage[internal];
    if (state.kind !== 'step') return storage;
    state.buffer = this.gpu[internal].engine?.pool.take(storage.byteLength, storageUsage, storage.label).buffer;
    state.kind = 'kept';
    this.#recording.kept.push(storage);
    return storage;
  }

  /**
   * The bytes a storage has at this point of the recording. Runs the step at the end of the current synchronous code, so that
   * all reads recorded until then share one submit. Kept and persistent storages can be read after the step, too.
   */
  read(storage: Storage): Promise<ArrayBuffer> {
    if (this.#home.phase === 'submitted' && storage.kind !== 'step') return this.gpu.read(storage);
    try {
      this.#assertOpen('read');
      const source = this.#use(storage, 'read');
      this.#assertWritten(source, 'read');
      this.#recording.commands.push({ kind: 'read', source, order: this.#readers.length });
    } catch (error) {
      return Promise.reject(error);
    }
    const result = new Promise<ArrayBuffer>((resolve, reject) => this.#readers.push({ resolve, reject }));
    // A caller who awaits submit() first sees the failure there; the read's own rejection must not end the process before.
    result.catch(() => undefined);
    if (this.#readers.length === 1) queueMicrotask(() => this.#start());
    return result;
  }

  /**
   * Runs the step; resolves when the GPU has done all of it. Further calls give the same promise.
   * @throws LimnError `gpu/step-closed`
   */
  submit(): Promise<void> {
    if (this.#home.phase === 'discarded') return Promise.reject(this.#closed('submit'));
    return this.#start();
  }

  /**
   * Compiles the kernels recorded so far that the device does not have yet, side by side and without holding up the caller, which a first
   * run does not. Nothing runs, and recording goes on.
   * @throws LimnError `gpu/bindings`, `gpu/disposed`, `gpu/dry`; ShaderError
   */
  async compile(): Promise<void> {
    const { engine } = this.gpu[internal];
    if (!engine) throw dryError('compile a step');
    this.gpu[internal].assertUsable();
    await engine.compile(this.#recording);
  }

  /** What the step would cost as recorded so far. Needs no device. */
  plan(): PlanReport {
    return reportPlan(this.#recording, this.gpu.capabilities.limits.maxBufferSize, this.#budget());
  }

  /** Ends the step. One with reads under way is submitted first; one never submitted is dropped without running. */
  dispose(): void {
    if (this.#home.phase !== 'open') return;
    if (this.#readers.length > 0) void this.#start().catch(() => undefined);
    else this.#discard();
  }

  /** `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  #budget(): number {
    return this.#options.workBudgetFlops ?? this.gpu.workBudgetFlops;
  }

  #start(): Promise<void> {
    if (this.#result) return this.#result;
    const readers = this.#readers;
    const run = this.#run();
    run.then(
      (reads) => reads.forEach((data, i) => readers[i]!.resolve(data)),
      (error: unknown) => {
        if (this.#home.phase === 'submitted') this.#home.phase = 'failed';
        readers.forEach((reader) => reader.reject(error));
      },
    );
    this.#result = run.then(() => undefined);
    // When reads carry the result, they carry its failure as well.
    if (readers.length > 0) this.#result.catch(() => undefined);
    return this.#result;
  }

  #run(): Promise<ArrayBuffer[]> {
    const { engine } = this.gpu[internal];
    try {
      if (!engine) throw dryError('submit a step');
      this.gpu[internal].assertUsable();
      for (const storage of this.#recording.storages)
        if (storage[internal].home !== this.#home) assertMade(storage, `step '${this.label}'`);
    } catch (error) {
      this.#discard();
      return Promise.reject(error);
    }
    this.#home.phase = 'submitted';
    const options: RunOptions = {
      signal: this.#options.signal,
      onProgress: this.#options.onProgress,
      timing: this.gpu.capabilities.timestamps && (this.#options.timing ?? this.gpu.timing),
      budgetFlops: this.#budget(),
    };
    return engine.execute(this.#recording, options);
  }

  #discard(): void {
    if (this.#home.phase !== 'open') return;
    this.#home.phase = 'discarded';
    this.#recording.storages.forEach(unretain);
  }

  /** The storage's number in this recording, after checking that it may be used here. */
  #use(storage: Storage, where: string): number {
    const state = storage[internal];
    assertAlive(storage, this.gpu, where);
    const known = this.#indices.get(storage);
    if (known !== undefined) return known;
    if (state.kind === 'step' && state.home !== this.#home) throw otherStep(storage, this.label, where);
    const index = this.#recording.storages.push(storage) - 1;
    this.#indices.set(storage, index);
    retain(storage);
    return index;
  }

  #assertWritten(index: number, where: string): void {
    const storage = this.#recording.storages[index]!;
    if (this.#written.has(index) || storage[internal].home !== this.#home) return;
    throw readBeforeWrite(storage, this.label, where);
  }

  #assertOpen(what: string): void {
    if (this.#home.phase !== 'open') throw this.#closed(what);
  }

  #closed(what: string): LimnError {
    const { phase } = this.#home;
    return new LimnError('gpu/step-closed', `step '${this.label}' is ${phase}; ${what} comes too late`, {
      details: { step: this.label, phase, call: what },
      hint: 'A step runs once: make all reads before the first await, or keep() the value.',
    });
  }
}
