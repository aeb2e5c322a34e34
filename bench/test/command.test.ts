// Commands of the benches that are asked for help, or for what they cannot do: a line that says so, not a stack.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { LimnError } from '@limn/gpu';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { command, WrongArguments } from '../command.mjs';
import { unknownWord } from '../harness/job.mjs';
import { parseRatios, regressions, type KeptRatios } from '../harness/regression.mjs';
import { makeFolder } from '../result-file.mjs';

const argv = process.argv;
const folder = mkdtempSync(path.join(tmpdir(), 'limn-command-'));
afterEach(() => {
  process.argv = argv;
  process.exitCode = undefined;
  vi.restoreAllMocks();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What a command with the option --rounds says, on both streams, and its exit code. */
async function asked(words: readonly string[], run: () => number = () => 0): Promise<{ said: string; code: unknown }> {
  const lines: string[] = [];
  vi.spyOn(console, 'log').mockImplementation((text) => void lines.push(String(text)));
  vi.spyOn(console, 'error').mockImplementation((text) => void lines.push(String(text)));
  process.argv = ['node', 'bench.mts', ...words];
  await command('how to use it', { options: { rounds: { type: 'string' } } }, run);
  return { said: lines.join('\n'), code: process.exitCode };
}

const fails = (error: Error) => (): never => {
  throw error;
};

describe('a command', () => {
  it('says how it is used, and does nothing else', async () => {
    const run = vi.fn(() => 1);
    expect(await asked(['--rounds', '3', '--help'], run)).toEqual({ said: 'how to use it', code: 0 });
    expect(run).not.toHaveBeenCalled();
    expect(await asked(['--rounds', '3'], run)).toEqual({ said: '', code: 1 });
  });

  it('says in a line what it cannot do', async () => {
    expect(await asked(['--round', '3'])).toEqual({
      said: expect.stringMatching(/'--round'[^]*how to use it/) as string,
      code: 2,
    });
    const wrong = await asked([], fails(new WrongArguments('there is no such thing')));
    expect(wrong).toEqual({ said: 'there is no such thing\n\nhow to use it', code: 2 });
    const device = await asked([], fails(new LimnError('gpu/no-adapter', 'no GPU adapter', { hint: 'Install one.' })));
    expect(device).toEqual({ said: 'no GPU adapter\nInstall one.', code: 2 });
  });

  it('says which file is missing or cannot be written, before anything is measured', async () => {
    const file = path.join(folder, 'a file');
    writeFileSync(file, '');
    const under = path.join(file, 'results');
    const { said, code } = await asked([], () => (makeFolder(under), 0));
    expect(said).toContain(under);
    expect(code).toBe(2);
  });

  it('lets a mistake of its own be seen whole', async () => {
    await expect(asked([], fails(new TypeError('x is undefined')))).rejects.toThrow('x is undefined');
  });
});

describe('what is asked for', () => {
  it('is a word of some name, each of them', () => {
    const jobs = [{ name: 'softmax 512 × 768' }, { name: 'gelu (tanh form)' }];
    expect(unknownWord(jobs, 'softmax | (tanh')).toBeUndefined();
    expect(unknownWord(jobs, '')).toBeUndefined();
    expect(unknownWord(jobs, 'softmax|sotfmax')).toBe('sotfmax');
  });
});

describe('kept ratios', () => {
  const ratio = { median: 2, low: 1.9, high: 2.1 };
  const counts = { dispatches: 1, submits: 1, buffersCreated: 0, bindGroupsCreated: 0, pipelinesCreated: 0 };
  const kept: KeptRatios = {
    kind: 'limn.bench-ratios',
    version: 1,
    adapter: 'lavapipe',
    date: '2026-01-01',
    workBudgetFlops: 1e9,
    ratios: { softmax: { copy: ratio, loop: ratio } },
    counts: { softmax: counts, layernorm: counts },
  };

  it('notice a job and a neighbour that are no longer there, where all were run', () => {
    const now: KeptRatios = { ...kept, ratios: { softmax: { copy: ratio } }, counts: { softmax: counts } };
    const gone = { kept: 'there', now: 'gone', verdict: 'changed' };
    expect(regressions(kept, now, true)).toEqual([
      { job: 'layernorm', what: 'the job', ...gone },
      { job: 'softmax', what: 'loop', ...gone },
    ]);
    // A part says nothing about the jobs that it left out.
    expect(regressions(kept, now)).toEqual([{ job: 'softmax', what: 'loop', ...gone }]);
    expect(regressions(kept, kept, true)).toEqual([]);
  });

  it('are read, or it is said what is wrong', () => {
    expect(parseRatios(JSON.stringify(kept))).toEqual(kept);
    expect(() => parseRatios('{broken')).toThrow('not JSON');
    expect(() => parseRatios(JSON.stringify({ ...kept, ratios: null }))).toThrow('no ratios or no counts');
    expect(() => parseRatios(JSON.stringify({ ...kept, counts: { softmax: 3 } }))).toThrow('no ratios or no counts');
  });
});
