// A file system that fails at the n-th call: full, read-only, unreadable, or with the process killed in the middle of it.
import { CallCounter, type Fault } from './call-counter.js';

/** A system code that the call throws, or 'kill': SIGKILL to this process at that moment. */
export type DiskFault = 'ENOSPC' | 'EIO' | 'EROFS' | 'EACCES' | 'EMFILE' | 'kill';

/** Promise functions by name, as `node:fs/promises` has them. */
type Functions = Readonly<Record<string, unknown>>;
interface Handle {
  write(data: Uint8Array, start: number, length: number, at: number): Promise<unknown>;
  writeFile(data: Uint8Array | string): Promise<void>;
  close(): Promise<void>;
}

/** Everything a file handle does that can fail. */
const counted = new Set(['read', 'write', 'writeFile', 'stat', 'sync', 'close']);

/**
 * Wraps the functions of `node:fs/promises` that are in `real`. Every call of them counts, and of open handles `read`, `write`,
 * `writeFile`, `stat`, `sync` and `close`. A `write` or `writeFile` that fails has written half of its bytes; a `close` that fails has closed.
 */
export class FaultyFs<Disk extends object> {
  readonly disk: Disk;
  readonly counter: CallCounter<DiskFault>;
  /** Handles that are open now. */
  openHandles = 0;

  constructor(real: Disk, fault?: Fault<DiskFault>) {
    this.counter = new CallCounter(fault);
    const wrapped: Record<string, unknown> = {};
    for (const [name, value] of Object.entries(real as Functions)) {
      if (typeof value !== 'function') continue;
      wrapped[name] = async (...args: unknown[]) => {
        this.#fail(this.counter.count(name), name);
        const result: unknown = await value(...args);
        return name === 'open' ? this.#handle(result as Handle) : result;
      };
    }
    this.disk = wrapped as Disk;
  }

  #handle(real: Handle): Handle {
    this.openHandles += 1;
    return new Proxy(real, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        if (typeof name !== 'string' || !counted.has(name)) return value.bind(target);
        return async (...args: unknown[]) => {
          const how = this.counter.count(name);
          if (how && name === 'writeFile') await half(target, args[0] as Uint8Array | string);
          if (how && name === 'write') {
            const [data, start, length, at] = args as Parameters<Handle['write']>;
            await target.write(data, start, length >> 1, at);
          }
          if (name === 'close') this.openHandles -= 1;
          if (how && name === 'close') await target.close();
          this.#fail(how, name);
          return (value as (...all: unknown[]) => unknown).apply(target, args);
        };
      },
    });
  }

  #fail(how: DiskFault | undefined, operation: string): void {
    if (how === undefined) return;
    if (how === 'kill') process.kill(process.pid, 'SIGKILL');
    throw Object.assign(new Error(`${how}: injected at ${operation}`), { code: how, syscall: operation });
  }
}

async function half(file: Handle, data: Uint8Array | string): Promise<void> {
  await file.writeFile(data.slice(0, data.length >> 1));
}
