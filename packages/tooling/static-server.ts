// A static web server on a local port: one folder, GET and HEAD, byte ranges, nothing above the folder, and a strict policy with every file.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

/** Sent with every file, since a worker obeys the policy of its own script and not that of the page. */
export const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "connect-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

export interface StaticServer {
  readonly url: string;
  close(): Promise<void>;
}

/** The decoded path of an address; undefined where it is none. */
function fileNameOf(address = '/'): string | undefined {
  try {
    return decodeURIComponent(new URL(address, 'http://localhost').pathname);
  } catch {
    return undefined;
  }
}

/** Serves a folder on 127.0.0.1; port 0 takes a free one. */
export async function serveFolder(folder: string, port = 0): Promise<StaticServer> {
  const server = createServer((request, response) => {
    const name = fileNameOf(request.url);
    if (name === undefined) {
      response.writeHead(400, { 'content-security-policy': POLICY }).end();
      return;
    }
    const file = path.join(folder, path.normalize(name === '/' ? '/index.html' : name));
    void readFile(file).then(
      (bytes) => {
        const [range, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
        const body = range ? bytes.subarray(Number(from), Number(to) + 1) : bytes;
        response.writeHead(range ? 206 : 200, {
          'content-security-policy': POLICY,
          'content-type': types[path.extname(file)] ?? 'application/octet-stream',
          'content-length': body.length,
          ...(range ? { 'content-range': `bytes ${from}-${Number(from) + body.length - 1}/${bytes.length}` } : {}),
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      },
      () => response.writeHead(404, { 'content-security-policy': POLICY }).end(),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    url: `http://localhost:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
