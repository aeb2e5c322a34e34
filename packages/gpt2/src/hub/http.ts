// Requests to a hub: redirects followed by rule, the token kept at home, patience with busy servers, and a code for every refusal.
import { LimnError } from '@limn/gpu';
import { unlessAborted } from '../abortable-files.js';
import { describeFailure, refused, waitTime } from './http-errors.js';

/** How to talk to a hub. */
export interface HubHttpOptions {
  /** Address of the hub: `https://huggingface.co`. */
  readonly endpoint: string;
  /** Sent to the endpoint only, over https or to this machine. */
  readonly token?: string;
  readonly fetch?: typeof fetch;
  readonly signal?: AbortSignal;
  /** false where the platform follows redirects itself and hides them, as browsers do; they drop the token across origins too. */
  readonly ownRedirects?: boolean;
  /** How often a busy or unreachable server is asked in all. Default 5. */
  readonly attempts?: number;
  /** Longest silence in milliseconds before a connection counts as broken. Default 60,000. */
  readonly silence?: number;
  /** Waits so many milliseconds; tests replace it. */
  readonly wait?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

/** A connection that ended before its answer did: not an error of this program's, and worth another try. */
export class BrokenConnection extends Error {}

/** An answer whose body is still to come. */
export interface Answer {
  readonly response: Response;
  /** Where it came from, after redirects, without the query: that may hold a signature. */
  readonly from: string;
  /** Chunks of the body; a silence, a cut or an abort throws a BrokenConnection. */
  chunks(): AsyncGenerator<Uint8Array>;
  /** Ends the request; safe to call at any time. */
  stop(): void;
}

const maxRedirects = 5;
const maxApiBytes = 32 * 2 ** 20;

/** A hub, by HTTP. */
export class HubHttp {
  readonly endpoint: URL;
  private readonly attempts: number;
  readonly silence: number;
  readonly wait: (milliseconds: number, signal?: AbortSignal) => Promise<void>;

  constructor(private readonly options: HubHttpOptions) {
    this.endpoint = endpointOf(options.endpoint);
    this.attempts = options.attempts ?? 5;
    this.silence = options.silence ?? 60_000;
    this.wait = options.wait ?? sleep;
  }

  get signal(): AbortSignal | undefined {
    return this.options.signal;
  }

  /**
   * Asks for an address until it answers with 2xx, waiting as long as a busy server asks for.
   * @throws LimnError `hub/denied`, `hub/not-found`, `hub/rate-limited`, `hub/unavailable`, `hub/unreachable`, `hub/redirect`,
   * `hub/refused`; the signal's reason when aborted.
   */
  async ask(url: URL, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
    for (let attempt = 1; ; attempt++) {
      let answer: Answer;
      try {
        answer = await this.askOnce(url, headers);
      } catch (cause) {
        this.signal?.throwIfAborted();
        if (cause instanceof LimnError) throw cause;
        if (attempt >= this.attempts) throw describeFailure(url, cause, attempt);
        await this.wait(pause(attempt), this.signal);
        continue;
      }
      if (answer.response.ok) return answer;
      const again = waitTime(answer.response);
      answer.stop();
      if (again === undefined || attempt >= this.attempts || again > 120_000)
        throw refused(answer.response, answer.from, attempt, again);
      await this.wait(Math.max(again, pause(attempt)), this.signal);
    }
  }

  /** `fetch` for a library that wants JSON: whole answers of a bounded size, checked to be JSON. */
  readonly api: typeof fetch = async (input) => {
    const answer = await this.ask(new URL(input instanceof Request ? input.url : input), {
      accept: 'application/json',
    });
    const bad = (what: string): LimnError =>
      new LimnError('hub/bad-answer', `${answer.from} answered with ${what}, where JSON was asked for`, {
        details: { url: answer.from },
        hint: 'Check the endpoint; a proxy or a sign-in page may stand in between.',
      });
    try {
      const parts: Uint8Array[] = [];
      let bytes = 0;
      for await (const chunk of answer.chunks()) {
        bytes += chunk.length;
        if (bytes > maxApiBytes) throw bad(`more than ${maxApiBytes} bytes`);
        parts.push(chunk);
      }
      const text = await new Blob(parts as Uint8Array<ArrayBuffer>[]).text();
      try {
        JSON.parse(text);
      } catch {
        throw bad(answer.response.headers.get('content-type') ?? 'something else');
      }
      return new Response(text, { headers: onlyHeaders(answer.response.headers, ['link', 'content-type']) });
    } catch (cause) {
      this.signal?.throwIfAborted();
      if (cause instanceof LimnError) throw cause;
      throw describeFailure(new URL(answer.from), cause, 1);
    } finally {
      answer.stop();
    }
  };

  private async askOnce(start: URL, headers: Readonly<Record<string, string>>): Promise<Answer> {
    let url = start;
    for (let hop = 0; ; hop++) {
      const answer = await this.send(url, headers);
      const { status } = answer.response;
      if (status < 300 || status > 399 || status === 304) return answer;
      answer.stop();
      const target = answer.response.headers.get('location');
      const next = target === null ? undefined : parsed(target, url);
      const secure = next?.protocol === 'https:' || (next?.protocol === 'http:' && this.endpoint.protocol === 'http:');
      if (!next || !secure || hop >= maxRedirects) {
        const where = next ? `${next.protocol}//${next.host}` : 'nowhere';
        throw new LimnError(
          'hub/redirect',
          hop >= maxRedirects
            ? `${plain(start)} was redirected more than ${maxRedirects} times`
            : `${plain(url)} redirects to ${where}, which is not followed`,
          { details: { url: plain(url), target: where }, hint: 'Check the endpoint.' },
        );
      }
      url = next;
    }
  }

  private async send(url: URL, headers: Readonly<Record<string, string>>): Promise<Answer> {
    const controller = new AbortController();
    const abort = (): void => controller.abort(this.signal?.reason);
    if (this.signal?.aborted) throw this.signal.reason;
    this.signal?.addEventListener('abort', abort, { once: true });
    const stop = (): void => {
      this.signal?.removeEventListener('abort', abort);
      controller.abort();
    };
    const watch = watchdog(this.silence, () => controller.abort(new Error(`silent for ${this.silence} ms`)));
    try {
      // A fetch of the caller's may take no notice of the signal.
      const response = await unlessAborted(controller.signal, () =>
        (this.options.fetch ?? globalThis.fetch)(url, {
          headers: { ...headers, ...(this.mayHaveToken(url) ? { authorization: `Bearer ${this.options.token}` } : {}) },
          redirect: this.options.ownRedirects === false ? 'follow' : 'manual',
          signal: controller.signal,
        }),
      );
      watch.stop();
      const from = plain(this.options.ownRedirects === false && response.url ? new URL(response.url) : url);
      return { response, from, stop, chunks: () => chunksOf(response, watch, controller.signal) };
    } catch (cause) {
      watch.stop();
      stop();
      throw cause;
    }
  }

  private mayHaveToken(url: URL): boolean {
    if (this.options.token === undefined || url.origin !== this.endpoint.origin) return false;
    return url.protocol === 'https:' || /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  }
}

function endpointOf(text: string): URL {
  const url = parsed(text);
  if (url && /^https?:$/.test(url.protocol) && url.username === '' && url.search === '' && url.hash === '') return url;
  throw new LimnError('hub/endpoint', `the hub's address ${JSON.stringify(text)} is no http or https address`, {
    details: { endpoint: text },
    hint: 'HF_ENDPOINT and the option `endpoint` look like https://huggingface.co.',
  });
}

const parsed = (text: string, base?: URL): URL | undefined =>
  URL.canParse(text, base?.href) ? new URL(text, base) : undefined;

/** An address without query and credentials: signed addresses are secrets. */
export function plain(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}`;
}

/** Half a second, doubled each time, half a minute at most. */
const pause = (attempt: number): number => Math.min(30_000, 500 * 2 ** (attempt - 1));

function onlyHeaders(headers: Headers, names: readonly string[]): Headers {
  const kept = new Headers();
  for (const name of names) {
    const value = headers.get(name);
    if (value !== null) kept.set(name, value);
  }
  return kept;
}

interface Watchdog {
  start(): void;
  stop(): void;
}

function watchdog(milliseconds: number, bite: () => void): Watchdog {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = (): void => clearTimeout(timer);
  const start = (): void => {
    stop();
    timer = setTimeout(bite, milliseconds);
  };
  start();
  return { start, stop };
}

async function* chunksOf(response: Response, watch: Watchdog, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      watch.start();
      const { done, value } = await unlessAborted(signal, () => reader.read()).catch((cause: unknown) => {
        throw new BrokenConnection(String((cause as Error).message), { cause });
      });
      watch.stop();
      if (done) return;
      yield value;
    }
  } finally {
    watch.stop();
    // A body that failed or was left early has nothing more to say, and its own failure is what to report.
    reader.cancel().catch(() => undefined);
  }
}

/** Waits, or rejects with the signal's reason. */
export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
