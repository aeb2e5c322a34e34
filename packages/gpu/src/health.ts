// Turns WebGPU's out-of-band failures (error scopes, uncaptured errors, device loss) into rejections of what is awaited.
import { awaitDevice } from './device-wait.js';
import { DeviceLostError, LimnError, OutOfMemoryError, messageOf } from './errors.js';

/** Resolves to the failure of a scoped piece of work, or to undefined when it went well. */
export type Check = Promise<LimnError | undefined>;

/** Milliseconds that a failed map waits for `device.lost`, which some implementations settle a moment later. */
const LOSS_GRACE = 100;

/** Watches one device. Errors that belong to nobody in particular are thrown by the next `settle`. */
export class Health {
  readonly lost: Promise<DeviceLostError>;
  readonly #device: GPUDevice;
  readonly #waiters = new Set<(error: DeviceLostError) => void>();
  readonly #pending = new Set<Check>();
  readonly #found: LimnError[] = [];
  #lostError: DeviceLostError | undefined;

  constructor(device: GPUDevice) {
    this.#device = device;
    this.lost = device.lost.then((info) => this.#markLost(info.reason, info.message));
    device.addEventListener('uncapturederror', (event) => {
      event.preventDefault();
      this.#found.push(explainGpuError(event.error, 'outside any step'));
    });
  }

  get lostError(): DeviceLostError | undefined {
    return this.#lostError;
  }

  #markLost(reason: string | undefined, message: string): DeviceLostError {
    this.#lostError ??= new DeviceLostError(
      `the GPU device was lost (${reason || 'unknown'})${message ? `: ${message}` : ''}`,
      {
        details: { reason: reason || 'unknown', message },
        hint: 'Open a new device and continue from the last checkpoint.',
      },
    );
    for (const reject of this.#waiters) reject(this.#lostError);
    this.#waiters.clear();
    return this.#lostError;
  }

  /** The promise, or a rejection with DeviceLostError when the device goes first. Leaves nothing behind on `lost`. */
  async guard<T>(promise: Promise<T>): Promise<T> {
    let waiter: (error: DeviceLostError) => void = () => undefined;
    const loss = new Promise<never>((_, reject) => {
      waiter = reject;
      if (this.#lostError) reject(this.#lostError);
      else this.#waiters.add(reject);
    });
    try {
      return await awaitDevice(Promise.race([loss, promise]));
    } catch (error) {
      throw await this.#explainRejection(error);
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** A rejection that came from losing the device becomes the DeviceLostError, even if `lost` settles a little later. */
  async #explainRejection(thrown: unknown): Promise<LimnError> {
    if (thrown instanceof LimnError) return thrown;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const grace = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), LOSS_GRACE);
    });
    const loss = this.#lostError ?? (await Promise.race([this.lost, grace]));
    clearTimeout(timer);
    return loss ?? new LimnError('gpu/device', `WebGPU refused a request: ${messageOf(thrown)}`, { cause: thrown });
  }

  /** A failure that has no promise of its own: the next `settle` throws it. */
  note(error: unknown): void {
    this.#found.push(
      error instanceof LimnError ? error : new LimnError('gpu/device', messageOf(error), { cause: error }),
    );
  }

  /** Runs `body` inside error scopes; the check tells later, without blocking, whether WebGPU complained. */
  scoped<T>(body: () => T, explain: (error: GPUError) => LimnError | Promise<LimnError>): { value: T; check: Check } {
    for (const filter of ['internal', 'out-of-memory', 'validation'] as const) this.#device.pushErrorScope(filter);
    let value: T;
    try {
      value = body();
    } catch (error) {
      void this.#popScopes(explain);
      throw error;
    }
    return { value, check: this.#popScopes(explain) };
  }

  #popScopes(explain: (error: GPUError) => LimnError | Promise<LimnError>): Check {
    const device = this.#device;
    return Promise.all([device.popErrorScope(), device.popErrorScope(), device.popErrorScope()]).then(
      (errors) => {
        const error = errors.find((e) => e !== null);
        return error ? explain(error) : undefined;
      },
      // WebGPU has scopes that cannot be asked only on lost devices; what was made in one is not known to be sound.
      (cause: unknown) => this.#explainRejection(cause),
    );
  }

  /** Has the next `settle` report this check's failure. */
  report(check: Check): void {
    const entry: Check = check.then((error) => {
      this.#pending.delete(entry);
      if (error) this.#found.push(error);
      return error;
    });
    this.#pending.add(entry);
  }

  /**
   * Waits for everything reported so far and throws the first failure that nobody has seen yet. Those found with it, which
   * usually follow from it, go into its details.
   */
  async settle(): Promise<void> {
    if (this.#pending.size > 0) await this.guard(Promise.all(this.#pending));
    if (this.#lostError) throw this.#lostError;
    const [first, ...others] = this.#found.splice(0);
    if (!first) return;
    if (others.length > 0) first.details['followedBy'] = others.map((other) => other.message);
    throw first;
  }
}

/** A LimnError for a GPUError that no more specific rule explains. */
export function explainGpuError(error: GPUError, where: string): LimnError {
  const kind = error.constructor.name;
  const message = `${where}: ${error.message}`;
  if (kind === 'GPUOutOfMemoryError')
    return new OutOfMemoryError(`out of GPU memory ${message}`, { details: { where }, cause: error });
  const code = kind === 'GPUValidationError' ? 'gpu/validation' : 'gpu/internal';
  return new LimnError(
    code,
    `${kind === 'GPUValidationError' ? 'WebGPU refused a call' : 'WebGPU failed'} ${message}`,
    {
      details: { where },
      cause: error,
    },
  );
}
