// Ctrl-C while a model is on its way from a server that has fallen silent: the command ends as an interrupted one, and leaves nothing behind.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runLimn } from './run-limn.js';

let root: string;
let server: Server;
/** Called at the request that is not answered. */
let onSilence: () => void;
let connections: number;

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-silent-'));
  connections = 0;
});
afterEach(() => {
  vi.unstubAllEnvs();
  server.closeAllConnections();
  server.close();
  rmSync(root, { recursive: true, force: true });
});

async function serve(answer: RequestListener): Promise<string> {
  server = createServer((request, response) => {
    connections += 1;
    response.on('close', () => (connections -= 1));
    answer(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const silent: RequestListener = () => onSilence();
/** Says how long every file is, and sends half of none. */
const silentAfterSizes: RequestListener = (request, response) => {
  response.writeHead(200, { 'content-length': 1000 });
  if (request.method === 'HEAD') return void response.end();
  response.write('{', () => onSilence());
};

const words = (model: string): string[] => ['run', '--model', model, '--tokens', '1', '--json'];

describe('a silent server', () => {
  it.for([
    ['at the first question', silent],
    ['in the middle of a file', silentAfterSizes],
  ] as const)('behind an address, %s', async ([, answer]) => {
    const stop = new AbortController();
    onSilence = () => stop.abort();
    const address = await serve(answer);
    const outcome = await runLimn(words(`${address}/model/`), stop.signal);
    expect([outcome.exitCode, outcome.json().error?.code], outcome.stderr).toEqual([130, 'aborted']);
    await expect.poll(() => connections, { interval: 2 }).toBe(0);
  });

  it('as the hub', async () => {
    const stop = new AbortController();
    onSilence = () => stop.abort();
    vi.stubEnv('HF_ENDPOINT', await serve(silent));
    vi.stubEnv('HF_HUB_CACHE', root);
    vi.stubEnv('HF_HUB_OFFLINE', '0');
    const outcome = await runLimn(words('some/toy'), stop.signal);
    expect([outcome.exitCode, outcome.json().error?.code], outcome.stderr).toEqual([130, 'aborted']);
    expect(readdirSync(root)).toEqual([]);
  });

  it('and Ctrl-C in a process of its own', async () => {
    const address = await serve(silentAfterSizes);
    const child = spawn(process.execPath, [
      '--conditions=limn-source',
      '--import',
      'tsx',
      path.join(import.meta.dirname, 'limn-child.mts'),
      ...words(`${address}/model/`),
    ]);
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    onSilence = () => void child.kill('SIGINT');
    const ended = await new Promise((resolve) => child.on('close', (code, signal) => resolve([code, signal])));
    expect(ended).toEqual([130, null]);
    expect(JSON.parse(output)).toMatchObject({ ok: false, exitCode: 130, error: { code: 'aborted' } });
  });
});
