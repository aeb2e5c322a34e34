// The built command in a process of its own: stdout, Ctrl-C, and the shared check of the toy where it is at hand.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { toyCircuit, writeToyModel } from './toy-model.js';
import { expectToyScores } from './toy-scores.js';

const home = path.resolve(import.meta.dirname, '..');
const limn = path.join(home, 'bin/limn.js');
const built = existsSync(path.join(home, 'dist/cli.js'));
const sharedCheck = path.resolve(home, '../../../shared/checks/toy.mjs');

let root: string;
beforeAll(() => (root = mkdtempSync(path.join(os.tmpdir(), 'limn-built-'))));
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe('the command before a build', () => {
  it.each([[[]], [['doctor', '--json']]])('says in one line that it must be built: limn %j', (words) => {
    const bin = path.join(root, 'unbuilt', 'bin');
    mkdirSync(bin, { recursive: true });
    copyFileSync(limn, path.join(bin, 'limn.mjs'));
    const run = spawnSync(process.execPath, [path.join(bin, 'limn.mjs'), ...words], { encoding: 'utf8' });
    expect(run.status).toBe(1);
    expect(run.stderr).toBe(
      'limn: limn has not been built: run `npm run build` in the folder of the repository first\n',
    );
    if (words.length === 0) expect(run.stdout).toBe('');
    else expect(JSON.parse(run.stdout)).toMatchObject({ ok: false, exitCode: 1, error: { code: 'not-built' } });
  });
});

describe('the built command', () => {
  beforeEach((context) => context.skip(!built, 'run npm run build first'));

  it('prints one JSON object on stdout and nothing else there', () => {
    const { status, stdout } = spawnSync(process.execPath, [limn, 'doctor', '--json'], { encoding: 'utf8' });
    expect(status).toBe(0);
    const found = JSON.parse(stdout) as Record<string, unknown>;
    expect(found).toMatchObject({ ok: true, command: 'doctor', selfTest: { passed: true } });
    expect(stdout.trimEnd()).not.toContain('\n');
  });

  it('goes on to its end when the reader of its output has left', async () => {
    const child = spawn(process.execPath, [limn, 'doctor'], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    child.stdout.destroy();
    expect(await new Promise((resolve) => child.on('close', resolve)), stderr).toBe(0);
    expect(stderr).not.toContain('EPIPE');
  });

  it('stops on Ctrl-C with a checkpoint and exit code 130', async () => {
    const corpus = path.join(root, 'corpus.jsonl');
    writeFileSync(corpus, '[1, 2, 3, 4, 5]\n[5, 4, 3, 2, 1, 0]\n');
    const out = path.join(root, 'training');
    const words = [
      'train',
      '--data',
      corpus,
      '--vocabulary',
      '6',
      '--layers',
      '1',
      '--heads',
      '1',
      '--width',
      '4',
      '--steps',
      '1000000',
      '--checkpoint-every',
      '5',
      '--out',
      out,
    ];
    const child = spawn(process.execPath, [limn, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
    child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
    const closed = new Promise<number | null>((resolve) => child.on('close', resolve));
    while (!existsSync(path.join(out, 'checkpoint.safetensors')) && child.exitCode === null) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    child.kill('SIGINT');
    expect(await closed, stderr).toBe(130);
    expect(stdout).toBe('');
    expect(stderr).toContain('--resume');
    // The generation before the last is there when a second checkpoint was written before the signal came; a draft never is.
    const found = readdirSync(out).filter((name) => name !== 'checkpoint.previous.safetensors');
    expect(found.sort()).toEqual(['checkpoint.safetensors', 'training.json', 'training.jsonl', 'training.svg']);
  });

  it("writes the toy's golden scores", () => {
    const model = path.join(root, 'toy');
    const out = path.join(root, 'circuit');
    writeToyModel(model);
    const words = [...toyCircuit(model, out), '--method', 'eap', '--quiet'];
    const { status, stderr } = spawnSync(process.execPath, [limn, ...words], { encoding: 'utf8' });
    expect(status, stderr).toBe(0);
    expectToyScores(out, 'eap');
  });

  it('passes the shared check of the toy', (context) => {
    context.skip(
      process.env['LIMN_LONG'] !== '1',
      'LIMN_LONG=1 runs all five methods, as circuit.test.ts does in one process',
    );
    context.skip(!existsSync(sharedCheck), 'the check is not beside the repository');
    const { status, stdout } = spawnSync(process.execPath, [sharedCheck, process.execPath, limn], { encoding: 'utf8' });
    expect(stdout).toContain('5 passed, 0 failed');
    expect(status).toBe(0);
  });
});
