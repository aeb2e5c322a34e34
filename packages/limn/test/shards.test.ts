// `limn circuit --resume`, `--shard` and `limn merge`: a killed run goes on, parts of several processes come together, and the bits are those of one run.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

let root: string;
let model: string;
let data: string;
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-shards-'));
  model = path.join(root, 'model');
  writeToyModel(model);
  data = path.join(root, 'pairs.jsonl');
  const lines = Array.from({ length: 7 }, (_, i) =>
    JSON.stringify({ clean: [1, 4, 3 + i, 2, 9], corrupted: [1, 4, 2, 2, 9], correct: [8], incorrect: [5] }),
  );
  writeFileSync(data, lines.join('\n'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const words = (out: string, more: readonly string[]): string[] =>
  ['circuit', '--model', model, '--data', data, '--metric', 'logit-diff', '--method', 'eap'].concat(
    ['--out', path.join(root, out), '--shard-size', '2', '--draws', '0', '--json'],
    more,
  );
const circuit = (out: string, ...more: readonly string[]) => runLimn(words(out, more));
const graph = (out: string): string => {
  const { edges } = JSON.parse(readFileSync(path.join(root, out, 'graph.json'), 'utf8')) as { edges: unknown };
  return JSON.stringify(edges);
};
const shardsOf = (out: string): string[] => {
  const folder = path.join(root, `${out}.shards`);
  return existsSync(folder) ? readdirSync(folder).sort() : [];
};

describe('shards on the command line', () => {
  it('three parts, one of them in a folder of its own, merged and finished, give the edges of one resumable run', async () => {
    expect((await circuit('whole', '--resume')).exitCode).toBe(0);
    expect(shardsOf('whole')).toEqual([]); // the run is finished: nothing is left of it
    const first = await circuit('parts', '--shard', '1/3');
    expect(first.exitCode, first.stderr).toBe(0);
    expect(first.json()).toMatchObject({ ok: true, shards: { done: 2, total: 4 }, quarantined: [] });
    expect(existsSync(path.join(root, 'parts'))).toBe(false);
    await circuit('parts', '--shard', '3/3');
    await circuit('elsewhere', '--shard', '2/3');
    expect(shardsOf('parts')).toHaveLength(3);
    const merged = await runLimn([
      'merge',
      path.join(root, 'elsewhere.shards'),
      '--out',
      path.join(root, 'parts'),
      '--json',
    ]);
    expect(merged.json()).toMatchObject({ ok: true, added: 1, total: 4 });
    expect((await circuit('parts', '--resume')).exitCode).toBe(0);
    expect(graph('parts')).toBe(graph('whole'));
    const stability = (out: string): unknown =>
      (JSON.parse(readFileSync(path.join(root, out, 'result.json'), 'utf8')) as { stability: unknown }).stability;
    expect(stability('parts')).toMatchObject({ resamples: 100 });
    expect(stability('parts')).toEqual(stability('whole'));
  });

  it('a run that is killed, wherever that is, goes on to the same edges', async () => {
    const entry = path.join(import.meta.dirname, 'limn-child.mts');
    let killed = 0;
    for (let n = 0; n < (process.env['LIMN_LONG'] === '1' ? 4 : 1); n++) {
      const child = spawn(
        process.execPath,
        ['--conditions=limn-source', '--import', 'tsx', entry, ...words('killed', ['--resume'])],
        { stdio: 'ignore' },
      );
      const ended = new Promise<unknown>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
      const before = shardsOf('killed').filter((name) => name.endsWith('.shard')).length;
      // As soon as there is one shard more than before, at any point of the next one.
      while (child.exitCode === null && shardsOf('killed').filter((name) => name.endsWith('.shard')).length <= before)
        await wait(1);
      child.kill('SIGKILL');
      if ((await ended) === 'SIGKILL') killed++;
    }
    expect(killed).toBeGreaterThan(0);
    const last = await circuit('killed', '--resume');
    expect(last.exitCode, last.stderr).toBe(0);
    expect(graph('killed')).toBe(graph('whole'));
    expect(shardsOf('killed')).toEqual([]);
  });

  it('merge refuses folders without shards, damaged shards, and shards that contradict each other', async () => {
    await circuit('a', '--shard', '1/4');
    const [name] = shardsOf('a') as [string];
    const merge = (from: string, into: string) =>
      runLimn(['merge', path.join(root, from), '--out', path.join(root, into), '--json']);
    expect((await merge('nowhere', 'b')).json()).toMatchObject({ ok: false, error: { code: 'data/shards' } });
    cpSync(path.join(root, 'a.shards'), path.join(root, 'bad'), { recursive: true });
    const file = path.join(root, 'bad', name);
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, -10));
    const damaged = await merge('bad', 'b');
    expect(damaged.exitCode).toBe(4);
    expect(damaged.json()).toMatchObject({
      error: { code: 'data/shards', message: expect.stringContaining('damaged') },
    });
    expect(existsSync(path.join(root, 'b.shards'))).toBe(false);
  });

  it('refuses a part that is none, and --shard with --resume', async () => {
    for (const part of ['0/3', '4/3', '1', '1/0', 'a/b'])
      expect((await circuit('no', '--shard', part)).json()).toMatchObject({
        ok: false,
        error: { code: 'usage/shard' },
      });
    expect((await circuit('no', '--shard', '1/2', '--resume')).json()).toMatchObject({
      error: { code: 'usage/shard' },
    });
    expect(shardsOf('no')).toEqual([]);
  });
});
