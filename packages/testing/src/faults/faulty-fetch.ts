// A fetch that fails at the n-th call or the n-th piece of a body: no connection, a broken or a cut-off one, or one that says nothing more.
import { CallCounter, type Fault } from './call-counter.js';

/**
 * 'reject': the request fails, or the body breaks off with an error. 'truncate': the body ends early as if that were all of it.
 * 'stall': neither answer nor error ever comes, until the request's signal is aborted.
 */
export type FetchFault = 'reject' | 'truncate' | 'stall';

/** Wraps a fetch. Operations: 'fetch' per request, 'read' per piece of a body. A request cannot be truncated: it is then rejected. */
export class FaultyFetch {
  readonly counter: CallCounter<FetchFault>;
  readonly fetch: typeof fetch;
  /** Bodies handed out that were neither read to their end nor cancelled. */
  openBodies = 0;

  constructor(real: typeof fetch, fault?: Fault<FetchFault>) {
    this.counter = new CallCounter(fault);
    this.fetch = async (input, init) => {
      const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
      const how = this.counter.count('fetch');
      if (how === 'stall') return stalled(signal);
      if (how) throw new TypeError('fetch failed: injected');
      return this.#response(await real(input, init), signal);
    };
  }

  #response(real: Response, signal: AbortSignal | null | undefined): Response {
    if (!real.body) return real;
    const reader = real.body.getReader();
    this.openBodies += 1;
    const close = (): void => void (this.openBodies -= 1);
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const how = this.counter.count('read');
          try {
            if (how === 'stall') await stalled(signal);
            if (how === 'reject') throw new TypeError('terminated: injected');
            const { done, value } = how === 'truncate' ? { done: true } : await reader.read();
            if (value) return controller.enqueue(value);
            if (!done) return;
          } catch (error) {
            close();
            controller.error(error);
            void reader.cancel().catch(() => undefined);
            return;
          }
          close();
          controller.close();
          void reader.cancel().catch(() => undefined);
        },
        cancel: (reason) => {
          close();
          return reader.cancel(reason);
        },
      },
      { highWaterMark: 0 },
    );
    const { status, statusText, headers } = real;
    const response = new Response(body, { status, statusText, headers });
    Object.defineProperty(response, 'url', { value: real.url });
    return response;
  }
}

function stalled(signal: AbortSignal | null | undefined): Promise<never> {
  return new Promise((_, reject) => {
    if (signal?.aborted) reject(signal.reason as Error);
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}
