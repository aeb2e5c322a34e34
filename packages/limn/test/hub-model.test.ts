// `--model owner/name`: a model of the hub from the cache that Python shares, without a network, and what is said when it is not there.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { readSafetensorsHeader } from '@limn/gpt2';
import { openFolder } from '@limn/gpt2/node';
import { refusal } from '@limn/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openModel } from '../src/model-source.js';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

const commit = '0123456789abcdef0123456789abcdef01234567';
let root: string;

beforeEach(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-hub-'));
  vi.stubEnv('HF_HUB_CACHE', root);
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  const repository = path.join(root, 'models--some--toy');
  mkdirSync(path.join(repository, 'refs'), { recursive: true });
  writeFileSync(path.join(repository, 'refs/main'), commit);
  mkdirSync(path.join(repository, 'snapshots'));
  writeToyModel(path.join(repository, 'snapshots', commit));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(root, { recursive: true, force: true });
});

describe('a model of the hub', () => {
  it('is found in the shared cache, said with what it takes, and recorded with its commit', async () => {
    const out = path.join(root, 'acts.safetensors');
    const outcome = await runLimn(['run', '--model', 'some/toy', '--tokens', '1,4,7', '--out', out, '--json']);
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stderr).toMatch(/some\/toy@0123456.* parameters in \d+ tensors \(F32\), .* on the GPU/);
    const { metadata } = await readSafetensorsHeader(openFolder(root), 'acts.safetensors');
    expect(JSON.parse(metadata.get('provenance') ?? '{}')).toMatchObject({ model: { name: `some/toy@${commit}` } });
    const pinned = await runLimn(['run', '--model', `some/toy@${commit}`, '--tokens', '1,4,7', '--json']);
    expect(pinned.exitCode, pinned.stderr).toBe(0);
  });

  it('that is not cached is refused offline', async () => {
    const outcome = await runLimn(['run', '--model', 'some/other', '--tokens', '1', '--json']);
    expect(outcome.exitCode).toBe(4);
    expect(outcome.json().error).toMatchObject({ code: 'hub/offline' });
  });

  it('that doctor is asked for is answered with the shapes that need no hub', async () => {
    const outcome = await runLimn(['doctor', '--model', 'gpt3', '--json']);
    expect(outcome.exitCode).toBe(4);
    expect(outcome.json().error).toMatchObject({ code: 'hub/offline' });
    expect(outcome.json().error?.message).toContain('gpt2, gpt2-medium, gpt2-large, gpt2-xl');
  });

  it('is opened by its folder, not by its file, and not by nothing', async () => {
    const file = path.join(root, 'models--some--toy/snapshots', commit, 'model.safetensors');
    const outcome = await runLimn(['run', '--model', file, '--tokens', '1', '--json']);
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([4, 'files/not-a-folder']);
    expect(outcome.json().error?.hint).toContain(path.dirname(file));
    for (const name of [null, undefined, '', 5])
      expect(await refusal(openModel(undefined as never, name as never))).toMatchObject({ code: 'usage/model-name' });
  });

  it('at an address whose server is dead, or breaks down, is a fault of the network: exit code 3', async () => {
    const server = createServer((_, response) => void response.writeHead(503).end());
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/model/`;
    const run = async () => {
      const outcome = await runLimn(['run', '--model', address, '--tokens', '1', '--json']);
      return [outcome.exitCode, outcome.json().error?.code];
    };
    const broken = await run();
    await new Promise((closed) => server.close(closed));
    expect([broken, await run()]).toEqual([
      [3, 'files/fetch'],
      [3, 'files/fetch'],
    ]);
  });

  it('whose name cannot be one is refused before anything is asked', async () => {
    const outcome = await runLimn(['run', '--model', 'no such/place/here', '--tokens', '1', '--json']);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.json().error).toMatchObject({ code: 'hub/bad-id' });
    expect(outcome.json().error?.hint).toContain('./folder');
  });
});
