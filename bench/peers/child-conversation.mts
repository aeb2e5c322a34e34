// A child process that is asked by lines of JSON, with float32 numbers after them as bytes, and answers likewise, in order.
import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';

export type Answer = Readonly<Record<string, unknown>>;

const NEWLINE = 0x0a;

export class ChildConversation {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  #unread: Buffer = Buffer.alloc(0);
  #said = '';
  #failure: Error | undefined;
  #ended = false;
  /** Looks again whether what is waited for has come. */
  #wake: () => void = () => undefined;

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    const fail = (error: Error): void => {
      this.#failure ??= error;
      this.#wake();
    };
    this.#child.on('error', fail);
    // A pipe that breaks because the child ended says less than how it ended.
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.on('data', (text: Buffer) => (this.#said = (this.#said + text.toString()).slice(-2000)));
    this.#child.on('close', (code) => {
      const last = this.#said.trim().split('\n').at(-1);
      fail(new Error(`${command} ended with ${code ?? 'a signal'}${last ? `: ${last}` : ''}`));
    });
    this.#child.stdout.on('data', (bytes: Buffer) => {
      this.#unread = Buffer.concat([this.#unread, bytes]);
      this.#wake();
    });
  }

  /** Sends a request and the numbers that belong to it; resolves with the answer. Throws what the child reports, or that it ended. */
  async ask(request: Readonly<Record<string, unknown>>, numbers: readonly Float32Array[] = []): Promise<Answer> {
    await this.#send(Buffer.from(`${JSON.stringify(request)}\n`));
    for (const values of numbers) await this.#send(Buffer.from(values.buffer, values.byteOffset, values.byteLength));
    return this.answer();
  }

  /** The next answer. */
  async answer(): Promise<Answer> {
    await this.#until(() => this.#unread.includes(NEWLINE));
    const line = this.#take(this.#unread.indexOf(NEWLINE) + 1).toString();
    const answer = JSON.parse(line) as Answer;
    if (typeof answer['error'] === 'string') throw new Error(answer['error']);
    return answer;
  }

  /** The numbers that follow an answer. */
  async floats(count: number): Promise<Float32Array> {
    await this.#until(() => this.#unread.length >= 4 * count);
    const values = new Float32Array(count);
    new Uint8Array(values.buffer).set(this.#take(4 * count));
    return values;
  }

  /** Closes the child's input, on which it ends. */
  end(): void {
    this.#ended = true;
    this.#child.stdin.end();
    this.#child.unref();
  }

  async #send(bytes: Buffer): Promise<void> {
    if (this.#failure) throw this.#failure;
    if (this.#ended) throw new Error('the child process was told to end');
    if (bytes.length === 0 || this.#child.stdin.write(bytes)) return;
    // Takes the listener of whichever does not come away again.
    const came = new AbortController();
    try {
      await Promise.race([once(this.#child.stdin, 'drain', came), once(this.#child, 'close', came)]);
    } finally {
      came.abort();
    }
  }

  #take(count: number): Buffer {
    const taken = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    return taken;
  }

  async #until(isThere: () => boolean): Promise<void> {
    while (!isThere()) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
