// Several processes on one cache, and one that is killed.
import { spawn } from 'node:child_process';
import { readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { sha256Of } from './hub/server.js';
import { contents, useHub, weights, weightsPath } from './hub/use-hub.js';

const here = useHub();

describe('two processes', () => {
  const child = (): { done: Promise<{ code: number | null; output: string }>; kill: () => void } => {
    const run = spawn(
      process.execPath,
      [
        '--conditions=limn-source',
        '--import',
        'tsx',
        path.join(import.meta.dirname, 'hub/child.mts'),
        here.hub.endpoint,
        here.cacheDir,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let output = '';
    run.stdout.on('data', (data) => (output += data));
    return {
      done: new Promise((resolve) => run.on('close', (code) => resolve({ code, output }))),
      kill: () => void run.kill('SIGKILL'),
    };
  };

  test('on one cache download every file once, and both get all of it', async () => {
    // Slow enough that both want the weights at the same time.
    here.hub.fail(contents, (_request, _response, serve) => void setTimeout(serve, 1500));
    const outcomes = await Promise.all([child().done, child().done]);
    for (const { code, output } of outcomes) {
      expect(code).toBe(0);
      expect(JSON.parse(output)).toEqual(['config.json', 'merges.txt', 'model.safetensors', 'vocab.json']);
    }
    expect(here.hub.asked(weightsPath).length).toBe(1);
    await here.expectWhole(await here.open());
    expect(readdirSync(path.join(here.cacheDir, '.locks/models--tiny--gpt2'))).toEqual([]);
  });

  test('of which one takes the other for dead and its part away: both end with the model', async () => {
    let taken = 0;
    const source = await here.open({
      onProgress: ({ file }) => {
        if (file !== 'model.safetensors' || taken > 1) return;
        const [part] = readdirSync(here.blobs()).filter((name) => name.endsWith('.limn-part')) as [string];
        renameSync(
          path.join(here.blobs(), part),
          path.join(here.blobs(), `${sha256Of(weights)}.other${taken++}.limn-part`),
        );
      },
    });
    await here.expectWhole(source);
    expect(taken).toBe(2);
  });

  test('one that is killed in the middle leaves a part and a lock, and neither is in the way', async () => {
    here.hub.fail(
      contents,
      (_request, response) => {
        response.writeHead(200, { 'content-length': weights.length });
        response.write(weights.subarray(0, 600_000));
      },
      1,
    );
    const first = child();
    const watch = setInterval(() => void (here.partBytes() > 0 && first.kill()), 50);
    expect((await first.done).code).toBeNull();
    clearInterval(watch);
    const left = here.partBytes();
    expect(left).toBeGreaterThan(0);
    expect(readdirSync(path.join(here.cacheDir, '.locks/models--tiny--gpt2')).length).toBe(1);
    await here.expectWhole(await here.open());
    expect(here.hub.seen.at(-1)?.range).toBe(`bytes=${left}-`);
  });
});
