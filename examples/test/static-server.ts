// A static web server on a free local port, for loading the page in a test: one folder, GET and HEAD, byte ranges, nothing above the folder.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
};

export interface StaticServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function serveFolder(folder: string): Promise<StaticServer> {
  const server = createServer((request, response) => {
    const name = decodeURIComponent(new URL(request.url ?? '/', 'http://localhost').pathname);
    const file = path.join(folder, path.normalize(name === '/' ? '/index.html' : name));
    void readFile(file).then(
      (bytes) => {
        const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
        const body = range ? bytes.subarray(Number(range[1]), Number(range[2]) + 1) : bytes;
        response.writeHead(range ? 206 : 200, {
          'content-type': types[path.extname(file)] ?? 'application/octet-stream',
          'content-length': body.length,
        });
        response.end(request.method === 'HEAD' ? undefined : body);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://localhost:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
