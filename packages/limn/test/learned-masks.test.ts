// `limn circuit --method learned-masks`: settings and outcome are recorded, Ctrl-C stops it, and a run that is killed goes on to the same bits.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { recordFromJson } from '@limn/report';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

const UPDATES = 20;
let root: string;
let words: (out: string, ...more: readonly string[]) => string[];
beforeAll(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-masks-'));
  const model = path.join(root, 'model');
  writeToyModel(model);
  const data = path.join(root, 'pairs.jsonl');
  const lines = Array.from({ length: 6 }, (_, i) =>
    JSON.stringify({ clean: [1, 4, 4 + i, 2, 9], corrupted: [1, 4, 2, 2, 9], correct: [8], incorrect: [5] }),
  );
  writeFileSync(data, lines.join('\n'));
  const settings = '--mask-rate 0.3 --mask-pairs 3 --mask-sparsity 0.2 --seed 7 --draws 0 --json'.split(' ');
  words = (out, ...more) =>
    ['circuit', '--model', model, '--data', data, '--metric', 'logit-diff', '--method', 'learned-masks'].concat(
      ['--mask-updates', String(UPDATES), '--out', path.join(root, out)],
      settings,
      more,
    );
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const graph = (out: string): string => {
  const { edges } = JSON.parse(readFileSync(path.join(root, out, 'graph.json'), 'utf8')) as { edges: unknown };
  return JSON.stringify(edges);
};
const kept = (out: string): string[] => {
  const folder = path.join(root, `${out}.shards`);
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.shard')) : [];
};

describe('learned masks on the command line', () => {
  it('are recorded with their settings and with what came of them', async () => {
    const outcome = await runLimn(words('whole', '--resume'));
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordFromJson(readFileSync(path.join(root, 'whole', 'result.json'), 'utf8'));
    expect(record.method.name).toBe('learned-masks');
    expect(record.method.title).toContain('gate');
    expect(record.provenance.seed).toBe(7);
    expect(record.provenance.options).toMatchObject({
      maskUpdates: UPDATES,
      maskSparsity: 0.2,
      maskRate: 0.3,
      maskPairs: 3,
      seed: 7,
    });
    for (const [, score] of record.edges) expect(score).toBeGreaterThan(0);
    for (const [, score] of record.edges) expect(score).toBeLessThan(1);
    const { masks } = outcome.json() as { masks?: { updates: number; edges: number } };
    expect(masks).toMatchObject({ updates: UPDATES });
    // What was learnt is a size of the curve.
    const open = record.edges.filter(([, score]) => (score ?? 0) >= 0.5).length;
    expect(open).toBeGreaterThan(0);
    expect(masks?.edges).toBe(open);
    expect(record.curves[0]?.points.map(({ n }) => n)).toContain(open);
    const learnt = record.flags.find(({ code }) => code === 'masks-learnt');
    expect(learnt?.text).toContain(`After ${UPDATES} updates`);
    expect(readFileSync(path.join(root, 'whole', 'report.html'), 'utf8')).toContain('<code>masks-learnt</code>');
    expect(kept('whole')).toEqual([]);
    const file = JSON.parse(readFileSync(path.join(root, 'whole', 'graph.json'), 'utf8')) as { limn: object };
    expect(file.limn).toMatchObject({
      masks: { updates: UPDATES, sparsity: 0.2, rate: 0.3, pairsPerUpdate: 3, seed: 7 },
    });
  });

  it('killed at any moment and resumed they are the same, bit for bit', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'LIMN_LONG=1 kills a process twice; Ctrl-C below resumes alike');
    const entry = path.join(import.meta.dirname, 'limn-child.mts');
    let killed = 0;
    for (let n = 0; n < 2; n++) {
      const child = spawn(
        process.execPath,
        ['--conditions=limn-source', '--import', 'tsx', entry, ...words('killed', '--resume')],
        { stdio: 'ignore' },
      );
      const ended = new Promise<unknown>((resolve) => child.once('exit', (_, signal) => resolve(signal)));
      const [file] = kept('killed');
      const before = file && readFileSync(path.join(root, 'killed.shards', file), 'utf8');
      // As soon as there is another checkpoint, at any point of the updates behind it.
      const another = (): boolean => {
        const [name] = kept('killed');
        return name !== undefined && readFileSync(path.join(root, 'killed.shards', name), 'utf8') !== before;
      };
      while (child.exitCode === null && !another()) await wait(1);
      child.kill('SIGKILL');
      if ((await ended) === 'SIGKILL') killed++;
    }
    expect(killed).toBeGreaterThan(0);
    expect(kept('killed')).toHaveLength(1);
    const last = await runLimn(words('killed', '--resume'));
    expect(last.exitCode, last.stderr).toBe(0);
    expect(graph('killed')).toBe(graph('whole'));
    expect(kept('killed')).toEqual([]);
  });

  it('stopped with Ctrl-C they end with exit code 130, and go on from where they were', async () => {
    const controller = new AbortController();
    const over = new AbortController();
    const running = runLimn(words('stopped', '--resume'), controller.signal).finally(() => over.abort());
    while (!over.signal.aborted && kept('stopped').length === 0) await wait(1);
    controller.abort();
    expect((await running).exitCode).toBe(130);
    expect(existsSync(path.join(root, 'stopped'))).toBe(false);
    expect((await runLimn(words('stopped', '--resume'))).exitCode).toBe(0);
    expect(graph('stopped')).toBe(graph('whole'));
  });
});
