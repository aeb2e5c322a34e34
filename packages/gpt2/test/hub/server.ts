// A hub on this machine: the few addresses of the Hugging Face Hub that a download uses, contents on a second host, and faults on demand.
import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request that came in. */
export interface Seen {
  readonly host: 'hub' | 'contents';
  readonly path: string;
  readonly range: string | undefined;
  readonly token: string | undefined;
}

/** Answers a request instead of the hub; `serve` is what the hub would have done. */
export type Fault = (request: IncomingMessage, response: ServerResponse, serve: () => void) => void;

/** A repository of one commit, which is on `main`, `v1.0` and `refs/pr/1`. */
export class TestHub {
  readonly seen: Seen[] = [];
  private readonly faults: { readonly pattern: RegExp; readonly fault: Fault; times: number }[] = [];
  private readonly hub: Server;
  private readonly contents: Server;

  private constructor(
    readonly files: Map<string, Uint8Array>,
    readonly commit: string,
  ) {
    this.hub = createServer((request, response) => this.answer('hub', request, response));
    this.contents = createServer((request, response) => this.answer('contents', request, response));
  }

  static async start(files: Map<string, Uint8Array>, commit = 'c0ffee'.padEnd(40, '0')): Promise<TestHub> {
    const hub = new TestHub(files, commit);
    await new Promise<void>((done) => hub.hub.listen(0, '127.0.0.1', done));
    await new Promise<void>((done) => hub.contents.listen(0, '127.0.0.1', done));
    return hub;
  }

  get endpoint(): string {
    return address(this.hub);
  }

  get contentsHost(): string {
    return address(this.contents);
  }

  /** Lets `fault` answer the next `times` requests whose path matches. */
  fail(pattern: RegExp, fault: Fault, times = Infinity): void {
    this.faults.push({ pattern, fault, times });
  }

  /** Requests for a path, in order. */
  asked(pattern: RegExp): Seen[] {
    return this.seen.filter(({ path }) => pattern.test(path));
  }

  async stop(): Promise<void> {
    for (const server of [this.hub, this.contents]) {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    }
  }

  private answer(host: Seen['host'], request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent((request.url ?? '/').split('?')[0] as string);
    // As the real hub and its stores do, for pages of other sites.
    response.setHeader('access-control-allow-origin', '*');
    const { range, authorization } = request.headers;
    this.seen.push({ host, path, range, token: authorization });
    const serve = (): void =>
      host === 'hub' ? this.serveHub(path, request, response) : this.serveContents(path, request, response);
    const fault = this.faults.find(({ pattern, times }) => times > 0 && pattern.test(`${host} ${path}`));
    if (!fault) return serve();
    fault.times -= 1;
    fault.fault(request, response, serve);
  }

  private serveHub(path: string, request: IncomingMessage, response: ServerResponse): void {
    const [, commitPath, treePath, name] =
      /^\/(?:api\/models\/tiny\/gpt2\/(?:revision\/(.+)|tree\/(.+))|tiny\/gpt2\/resolve\/[^/]+\/(.+))$/.exec(path) ??
      [];
    if (commitPath !== undefined) {
      if (!['main', 'v1.0', 'refs/pr/1', this.commit].includes(commitPath))
        return void response.writeHead(404, { 'x-error-code': 'RevisionNotFound' }).end();
      return sendJson(response, { _id: 'x', id: 'tiny/gpt2', sha: this.commit, lastModified: '2026-01-01T00:00:00Z' });
    }
    if (treePath !== undefined)
      return sendJson(
        response,
        [...this.files].map(([path, bytes]) => listed(path, bytes)),
      );
    if (name === undefined || !this.files.has(name))
      return void response
        .writeHead(404, { 'x-error-code': name === undefined ? 'RepoNotFound' : 'EntryNotFound' })
        .end();
    if (request.method === 'HEAD') return this.describe(name, response);
    // Large files lie elsewhere, as on the real hub, behind a signed address.
    if (isLarge(name))
      return void response.writeHead(302, { location: `${this.contentsHost}/${name}?signature=secret` }).end();
    this.send(name, request, response);
  }

  /** What Python asks before it downloads. */
  private describe(name: string, response: ServerResponse): void {
    const bytes = this.files.get(name) as Uint8Array;
    const etag = `"${isLarge(name) ? sha256Of(bytes) : gitIdOf(bytes)}"`;
    response
      .writeHead(200, {
        etag,
        'x-repo-commit': this.commit,
        'x-linked-etag': etag,
        'x-linked-size': bytes.length,
        'content-length': bytes.length,
      })
      .end();
  }

  private serveContents(path: string, request: IncomingMessage, response: ServerResponse): void {
    this.send(path.slice(1), request, response);
  }

  private send(name: string, request: IncomingMessage, response: ServerResponse): void {
    const bytes = this.files.get(name) as Uint8Array;
    const [, begin, end] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const [from, to] = [Number(begin ?? 0), end ? Number(end) + 1 : bytes.length];
    response.writeHead(begin === undefined ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'content-length': to - from,
      ...(begin === undefined ? {} : { 'content-range': `bytes ${from}-${to - 1}/${bytes.length}` }),
    });
    response.end(bytes.subarray(from, to));
  }
}

/** Sends the first bytes of the file that is asked for, then breaks the connection. */
export function cutAfter(hub: TestHub, name: string, count: number): Fault {
  return (request, response) => {
    const bytes = hub.files.get(name) as Uint8Array;
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    response.writeHead(request.headers.range ? 206 : 200, {
      'content-length': bytes.length - from,
      ...(request.headers.range ? { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` } : {}),
    });
    response.write(bytes.subarray(from, from + count), () => setTimeout(() => response.destroy(), 20));
  };
}

export const isLarge = (name: string): boolean => name.endsWith('.safetensors');
export const sha256Of = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
export const gitIdOf = (bytes: Uint8Array): string =>
  createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');

/** A line of the hub's listing of a folder. */
export function listed(path: string, bytes: Uint8Array): Record<string, unknown> {
  const size = bytes.length;
  // What git holds of a large file is a pointer of its own digest.
  return isLarge(path)
    ? { type: 'file', path, size, oid: 'f'.repeat(40), lfs: { oid: sha256Of(bytes), size, pointerSize: 133 } }
    : { type: 'file', path, size, oid: gitIdOf(bytes) };
}

export function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function address(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
