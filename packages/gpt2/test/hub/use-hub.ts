// A hub on this machine and a cache folder of its own for every test of a file, and what the tests ask about them.
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeEach, expect } from 'vitest';
import { HubHttp, type HubHttpOptions } from '../../src/hub/http.js';
import { libraryDirectory } from '../../src/hub/library-directory.js';
import { openSnapshot, type Hub, type SnapshotOptions } from '../../src/hub/snapshot.js';
import type { ModelFiles } from '../../src/index.js';
import { FolderCache } from '../../src/node.js';
import { modelFiles } from './model.js';
import { sha256Of, TestHub, type Fault } from './server.js';

export const files = modelFiles();
export const weights = files.get('model.safetensors') as Uint8Array;
/** Requests for the weights at the host that has them. */
export const contents = /^contents \/model\.safetensors/;
/** Requests for the weights among those that were seen. */
export const weightsPath = /^\/model\.safetensors/;

/** Answers with a status. */
export const status =
  (code: number, headers: Record<string, string> = {}): Fault =>
  (_request, response) =>
    void response.writeHead(code, headers).end('no');

/** What a test has: `hub` and `cacheDir` are new for each. */
export class HubTest {
  readonly home = mkdtempSync(path.join(os.tmpdir(), 'limn-faults-'));
  hub!: TestHub;
  cacheDir = '';
  /** How long busy servers were waited for, in milliseconds; nothing really waits. */
  waits: number[] = [];

  /** Opens the model of the hub as Node does. */
  async open(options: SnapshotOptions & Partial<HubHttpOptions> = {}): Promise<ModelFiles> {
    const http = new HubHttp({
      endpoint: options.endpoint ?? this.hub.endpoint,
      wait: async (milliseconds) => void this.waits.push(milliseconds),
      ...options,
    });
    return openSnapshot('tiny/gpt2', 'main', this.at(http), options);
  }

  /** The hub as Node reaches it. */
  at(http: HubHttp, cache = new FolderCache(this.cacheDir)): Hub {
    return { http, directory: libraryDirectory, cache };
  }

  blobs(): string {
    return path.join(this.cacheDir, 'models--tiny--gpt2/blobs');
  }

  /** Whether the cache counts the weights as here. */
  whole(): boolean {
    return readdirSync(this.blobs()).includes(sha256Of(weights));
  }

  /** Bytes of the weights that an unfinished download left. */
  partBytes(): number {
    return (existsSync(this.blobs()) ? readdirSync(this.blobs()) : [])
      .filter((name) => name.startsWith(sha256Of(weights)) && name.endsWith('.limn-part'))
      .reduce((sum, name) => sum + statSync(path.join(this.blobs(), name)).size, 0);
  }

  async expectWhole(source: ModelFiles): Promise<void> {
    expect(sha256Of(await source.read('model.safetensors'))).toBe(sha256Of(weights));
    expect(readdirSync(this.blobs()).filter((name) => name.includes('part'))).toEqual([]);
  }
}

/** To be called once in a test file. */
export function useHub(): HubTest {
  const here = new HubTest();
  beforeEach(async () => {
    here.hub = await TestHub.start(files);
    here.cacheDir = mkdtempSync(path.join(here.home, 'cache-'));
    here.waits = [];
  });
  afterEach(() => here.hub.stop());
  afterAll(() => rmSync(here.home, { recursive: true, force: true }));
  return here;
}
