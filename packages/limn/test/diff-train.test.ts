// `limn diff train` and `limn merge`: packs of rows in a file; whole, in parts, killed, reused, they have the same bytes; what cannot be used is refused by its line.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readDiffData } from '../src/diff-data.js';
import { openPack } from '../src/diff-folder.js';
import { packBytes, trainWords, writeData } from './diff-runs.js';
import { runLimn, type Outcome } from './run-limn.js';
import { writeToyModel } from './toy-model.js';

let root: string;
let base: string;
let data: string;
let whole: Outcome;
const at = (name: string): string => path.join(root, name);
const train = (out: string, ...more: readonly string[]): Promise<Outcome> =>
  runLimn(trainWords(base, data, at(out), ...more));
const merge = (out: string, ...parts: readonly string[]): Promise<Outcome> =>
  runLimn(['merge', ...parts.map(at), '--out', at(out), '--json']);

beforeAll(async () => {
  root = mkdtempSync(path.join(os.tmpdir(), 'limn-diffs-'));
  base = at('model');
  writeToyModel(base);
  data = writeData(root, 'rows.jsonl', ['a', 'b', 'c', 'd', 'e']);
  whole = await train('whole');
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('limn diff train', () => {
  it('trains every diff of a file into a pack that says what each is, and leaves nothing else behind', async () => {
    expect(whole.exitCode, whole.stderr).toBe(0);
    expect(whole.json()).toMatchObject({ ok: true, diffs: 5, trained: 5, reused: 0 });
    expect(readdirSync(at('whole')).sort()).toEqual(['diffs.json', 'diffs.safetensors', 'training.json']);
    const diffs = await openPack(at('whole'));
    expect(diffs.map(({ spec }) => spec.id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    for (const { spec, losses } of diffs) {
      expect(spec.about).toMatchObject({ label: expect.stringMatching(/^word \d$/), rows: { count: 3 } });
      expect(losses.at(-1)?.update).toBe(6);
    }
    // Three rows of four tokens, two of them at a time: what was looked up, never asked.
    const about = JSON.parse(readFileSync(path.join(at('whole'), 'training.json'), 'utf8')) as object;
    expect(about).toMatchObject({
      state: 'finished',
      families: [{ name: 'data', shape: { tasks: 2, rows: 2, positions: 5, answers: 8, taught: 8 } }],
    });
  });

  it('parts of three processes, merged, have the bytes of the whole run', async () => {
    for (const part of ['1/3', '2/3', '3/3']) {
      const outcome = await train(`part-${part[0]}`, '--shard', part);
      expect(outcome.exitCode, outcome.stderr).toBe(0);
    }
    expect((await openPack(at('part-1'))).map(({ spec }) => spec.id)).toEqual(['a', 'b']);
    expect((await openPack(at('part-3'))).map(({ spec }) => spec.id)).toEqual(['e']);
    const missing = await merge('merged', 'part-3', 'part-1');
    expect([missing.exitCode, missing.json().error?.code]).toEqual([4, 'data/shards-missing']);
    expect(missing.json().error?.message).toContain('2/3');
    expect(existsSync(at('merged'))).toBe(false);
    expect((await merge('merged', 'part-1', 'part-1', 'part-2')).json().error?.code).toBe('data/shards');
    const merged = await merge('merged', 'part-3', 'part-1', 'part-2');
    expect(merged.exitCode, merged.stderr).toBe(0);
    expect(merged.json()).toMatchObject({ diffs: 5, parts: 3 });
    expect(packBytes(at('merged'))).toEqual(packBytes(at('whole')));
    expect((await train('part-4', '--shard', '4/4')).json().error?.code).toBe('usage/shard');
    expect(existsSync(at('part-4'))).toBe(false);
  });

  it('merge refuses parts of other settings, weights, adapters or lists, parts that are not finished, and what is no pack', async () => {
    await train('other-rate', '--shard', '2/3', '--rate', '0.01');
    const others = ['part-1', 'part-3'];
    expect((await merge('none', ...others, 'other-rate')).json().error?.code).toBe('data/shards-settings');
    expect((await merge('none', ...others, 'model')).json().error?.code).toBe('data/shards');
    const record = path.join(at('part-2'), 'training.json');
    const written = readFileSync(record, 'utf8');
    const changes: readonly (readonly [from: RegExp, to: string, code: string])[] = [
      [/"fingerprint": "[^"]*"/, '"fingerprint": "other"', 'data/shards-base'],
      [/"machine": \[/, '"machine": ["other",', 'data/shards-machine'],
      [/"mixed": false/, '"mixed": true', 'data/shards-machine'],
      [/"sha256": "[^"]*"/, '"sha256": "other"', 'data/shards-settings'],
      [/"finished"/, '"running"', 'data/shards-missing'],
      [/"plan"/, '"plans"', 'data/shards'],
    ];
    for (const [from, to, code] of changes) {
      writeFileSync(record, written.replace(from, to));
      expect((await merge('none', ...others, 'part-2')).json().error?.code).toBe(code);
    }
    writeFileSync(record, written);
    expect(existsSync(at('none'))).toBe(false);
  });

  it('killed with SIGKILL, it goes on to the same bytes', async () => {
    const child = path.join(import.meta.dirname, 'limn-child.mts');
    const more = ['--checkpoint-every', '1', '--updates', '8'];
    const started = spawn(
      process.execPath,
      ['--conditions=limn-source', '--import', 'tsx', child, ...trainWords(base, data, at('killed'), ...more)],
      { stdio: 'ignore' },
    );
    const ended = new Promise((resolve) => started.once('close', (_, signal) => resolve(signal)));
    const kept = path.join(at('killed'), 'checkpoints-data', 'checkpoint.previous.safetensors');
    while (started.exitCode === null && !existsSync(kept)) await wait(1);
    started.kill('SIGKILL');
    expect(await ended).toBe('SIGKILL');
    expect((await train('killed', ...more)).json().error?.code).toBe('usage/output-exists');
    const second = await train('killed', '--resume', ...more);
    expect(second.exitCode, second.stderr).toBe(0);
    expect(second.json()['resumedFrom']).toBeGreaterThan(0);
    await train('straight', ...more);
    expect(packBytes(at('killed'))).toEqual(packBytes(at('straight')));
    expect(readdirSync(at('killed')).sort()).toEqual(readdirSync(at('straight')).sort());
  });

  it('stopped, it says where its work is, and goes on from there', async () => {
    const controller = new AbortController();
    const about = path.join(at('stopped'), 'training.json');
    const timer = setInterval(() => existsSync(about) && controller.abort(), 1);
    const stopped = await runLimn(trainWords(base, data, at('stopped')), controller.signal);
    clearInterval(timer);
    expect([stopped.exitCode, stopped.json().error?.code]).toEqual([130, 'aborted']);
    expect(stopped.json().error?.hint).toContain('--resume');
    expect((await train('stopped', '--resume')).exitCode).toBe(0);
    expect(packBytes(at('stopped'))).toEqual(packBytes(at('whole')));
  });

  it('diffs of another machine are not gone on with unless drift is allowed, and then the pack says so', async () => {
    data = writeData(root, 'fewer.jsonl', ['a', 'c']);
    await train('moved');
    data = writeData(root, 'rows.jsonl', ['a', 'b', 'c', 'd', 'e']);
    const record = path.join(at('moved'), 'training.json');
    const about = JSON.parse(readFileSync(record, 'utf8')) as Record<string, unknown>;
    expect(about['mixed']).toBe(false);
    writeFileSync(record, JSON.stringify({ ...about, machine: ['another'] }));
    expect((await train('moved', '--resume')).json().error?.code).toBe('checkpoint/other-machine');
    const mixedIn = (folder: string): unknown =>
      (JSON.parse(readFileSync(path.join(at(folder), 'training.json'), 'utf8')) as Record<string, unknown>)['mixed'];
    const taken = await train('taken', '--reuse', at('moved'));
    expect(taken.json()).toMatchObject({ diffs: 5, trained: 3, reused: 2 });
    expect(mixedIn('taken')).toBe(true);
    const drifted = await train('moved', '--resume', '--allow-drift');
    expect(drifted.exitCode, drifted.stderr).toBe(0);
    expect(mixedIn('moved')).toBe(true);
    // Once mixed, always so.
    expect((await train('moved', '--resume')).exitCode).toBe(0);
    expect(mixedIn('moved')).toBe(true);
  });

  it('what is there under its key is not trained again, in the folder or in another pack', async () => {
    data = writeData(root, 'fewer.jsonl', ['a', 'c']);
    expect((await train('grown')).json()).toMatchObject({ trained: 2 });
    data = writeData(root, 'rows.jsonl', ['a', 'b', 'c', 'd', 'e']);
    const more = await train('grown', '--resume');
    expect(more.json()).toMatchObject({ diffs: 5, trained: 3, reused: 0 });
    expect(packBytes(at('grown'))).toEqual(packBytes(at('whole')));
    const again = await train('grown', '--resume');
    expect(again.json()).toMatchObject({ diffs: 5, trained: 0 });
    const copied = await train('copied', '--reuse', at('whole'));
    expect(copied.json()).toMatchObject({ diffs: 5, trained: 0, reused: 5 });
    expect(packBytes(at('copied'))).toEqual(packBytes(at('whole')));
    // Other settings are other diffs, and what a folder holds is never thrown away.
    const other = await train('grown', '--resume', '--alpha', '2');
    expect(other.json().error).toMatchObject({ code: 'usage/output-exists', message: expect.stringContaining("'a'") });
    expect(packBytes(at('grown'))).toEqual(packBytes(at('whole')));
  });

  it('refuses bad rows by line and field, and leaves no folder behind', async () => {
    const row = { diff: 'a', prompt: [1, 4], answer: [5, 2] };
    const cases: readonly (readonly [line: unknown, says: string])[] = [
      ['{', 'it is no JSON'],
      [[1], 'no JSON object'],
      [{ ...row, diff: '' }, 'diff is'],
      [{ ...row, prompt: [] }, 'prompt has no token'],
      [{ ...row, answer: [5, 11] }, 'answer has 11 at place 1'],
      [{ ...row, answer: [1, 2, 3, 4] }, '6 tokens'],
      [{ ...row, loss: 'mse' }, 'loss is'],
      [{ ...row, weight: 0 }, 'weight is'],
      [{ ...row, Weight: 1 }, "no field 'Weight'"],
      [{ ...row, about: 3 }, 'about is'],
      [{ ...row, about: { x: 2 } }, "about.x of 'a' differs"],
    ];
    const file = at('bad.jsonl');
    const model = { name: 'toy', hooked: { info: { vocabulary: 11, maxPositions: 5 } } };
    const read = () => readDiffData(file, model, { bos: true, end: true });
    const good = JSON.stringify({ ...row, about: { x: 1 } });
    for (const [line, says] of cases) {
      writeFileSync(file, `${good}\n\n${typeof line === 'string' ? line : JSON.stringify(line)}\n`);
      await expect(read()).rejects.toMatchObject({ code: 'data/diff-rows', details: { file, line: 3 } });
      await expect(read()).rejects.toThrow(says);
    }
    writeFileSync(file, '\n');
    await expect(read()).rejects.toMatchObject({ code: 'data/diff-rows' });
    writeFileSync(file, `${JSON.stringify({ ...row, prompt: 'text' })}\n`);
    data = file;
    const outcome = await train('deep/bad');
    expect([outcome.exitCode, outcome.json().error?.code]).toEqual([2, 'usage/no-tokenizer']);
    expect(existsSync(at('deep'))).toBe(false);
  });

  it('refuses options that do not go together, maps that are not there, and more memory than is given', async () => {
    data = writeData(root, 'rows.jsonl', ['a', 'b', 'c', 'd', 'e']);
    const code = async (...more: readonly string[]): Promise<string | undefined> =>
      (await train('refused', ...more)).json().error?.code;
    expect(await code('--world', 'chat')).toBe('usage/diff-source');
    expect(await code('--gate', 'code')).toBe('usage/diff-source');
    expect(await code('--modules', 'attn.c_atn')).toBe('usage/diff-modules');
    const memory = (await train('refused', '--memory', '1KB')).json().error;
    expect(memory).toMatchObject({ code: 'memory/over-budget', hint: expect.stringContaining('--tasks') });
    expect(await code('--plan', 'topic:train')).toBe('usage/diff-plan');
    const neither = await runLimn(['diff', 'train', '--base', base, '--out', at('refused'), '--json']);
    expect(neither.json().error?.code).toBe('usage/diff-source');
    const words = await runLimn([
      'diff',
      'train',
      '--base',
      base,
      '--out',
      at('refused'),
      '--json',
      '--world',
      'chat',
      '--plan',
      'topics:train',
    ]);
    expect(words.json().error?.code).toBe('usage/chat-vocabulary');
    expect(existsSync(at('refused'))).toBe(false);
  });
});
