// Calling the command wrongly: exit code 2, the nearest name, nothing on stdout, and no device opened for it.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLimn } from './run-limn.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(path.join(os.tmpdir(), 'limn-usage-'))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('usage', () => {
  it.each([
    ['a misspelt command', ['cicuit'], 'usage/unknown-command', 'did you mean circuit?'],
    ['a misspelt option', ['demo', '--sed', '1'], 'usage/unknown-option', '--seed'],
    ['a missing option', ['circuit', '--task', 'ioi'], 'usage/missing-mandatory-option-value', '--model'],
    ['an option without its value', ['demo', '--out'], 'usage/option-missing-argument', '--out'],
    [
      'a misspelt method',
      ['circuit', '--model', 'm', '--task', 'ioi', '--method', 'eap-ig'],
      'usage/unknown-method',
      'did you mean eap-ig-inputs?',
    ],
    [
      'a misspelt metric',
      ['circuit', '--model', 'm', '--task', 'ioi', '--metric', 'logitdiff'],
      'usage/unknown-metric',
      'logit-diff',
    ],
    [
      'a misspelt rule',
      ['circuit', '--model', 'm', '--task', 'ioi', '--ig-rule', 'mid'],
      'usage/unknown-rule',
      'midpoint',
    ],
    ['a misspelt task', ['circuit', '--model', 'm', '--task', 'ioii'], 'usage/unknown-task', 'ioi'],
    ['a misspelt recipe', ['train', '--recipe', 'poket'], 'usage/unknown-recipe', 'pocket'],
    ['a number that is none', ['demo', '--pairs', 'many'], 'usage/bad-number', '--pairs'],
    [
      'a number out of range',
      ['circuit', '--model', 'm', '--task', 'ioi', '--ig-steps', '0'],
      'usage/bad-number',
      '--ig-steps',
    ],
    ['token ids that are none', ['run', '--model', 'm', '--tokens', '1,x'], 'usage/bad-tokens', '1,2,3'],
    [
      'two sources of pairs',
      ['circuit', '--model', 'm', '--task', 'ioi', '--data', 'f'],
      'usage/pairs-source',
      '--task',
    ],
    [
      'pairs to measure on beside a task',
      ['circuit', '--model', 'm', '--task', 'ioi', '--eval-data', 'f'],
      'usage/pairs-source',
      '--eval-data',
    ],
    ['no prompt', ['run', '--model', 'm'], 'usage/prompt', '--tokens'],
    ['two prompts', ['generate', '--model', 'm', '--prompt', 'x', '--tokens', '1'], 'usage/prompt', '--tokens'],
    [
      'a temperature of zero',
      ['generate', '--model', 'm', '--prompt', 'x', '--temperature', '0'],
      'usage/bad-number',
      'leave --temperature out',
    ],
    [
      'a penalty of zero',
      ['generate', '--model', 'm', '--prompt', 'x', '--repetition-penalty', '0'],
      'usage/bad-number',
      '--repetition-penalty 1.2',
    ],
    ['a share of nothing', ['generate', '--model', 'm', '--prompt', 'x', '--top-p', '0'], 'usage/bad-number', '0.95'],
    ...['much', '-1', '0', '2 GiB x', '1e9', '2PiB', ''].map((size): [string, string[], string, string] => [
      `a size that is none: ${JSON.stringify(size)}`,
      ['run', '--model', 'm', '--tokens', '1', '--memory-budget', size],
      'usage/bad-size',
      'KiB',
    ]),
    ['nothing to train', ['train'], 'usage/training-source', '--recipe'],
  ])('%s', async (_, words, code, named) => {
    const plain = await runLimn(words);
    expect(plain.exitCode).toBe(2);
    expect(plain.stdout).toBe('');
    expect(plain.stderr).toContain(`code: ${code}`);
    expect(plain.stderr).toContain(named);
    const { error, ok, exitCode } = (await runLimn([...words.slice(0, 1), '--json', ...words.slice(1)])).json();
    expect({ ok, exitCode, code: error?.code }).toEqual({ ok: false, exitCode: 2, code });
  });

  it('help and version go to stdout with exit code 0', async () => {
    const help = await runLimn(['--help']);
    expect(help.exitCode).toBe(0);
    for (const command of ['doctor', 'demo', 'run', 'generate', 'train', 'circuit'])
      expect(help.stdout).toContain(command);
    expect(await runLimn(['circuit', '--help'])).toMatchObject({ exitCode: 0 });
    expect(await runLimn(['--version'])).toMatchObject({ exitCode: 0, stdout: '0.1.0\n' });
  });

  it('without a command shows the help on stderr', async () => {
    const outcome = await runLimn([]);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: '' });
    expect(outcome.stderr).toContain('Usage: limn');
  });

  it('refuses a folder that limn did not make, and leaves it as it was', async () => {
    const home = path.resolve(import.meta.dirname, '..');
    const before = readdirSync(home);
    const outcome = await runLimn(['circuit', '--model', 'm', '--task', 'ioi', '--out', home]);
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain('usage/output-exists');
    expect(await runLimn(['train', '--recipe', 'pocket', '--out', home])).toMatchObject({ exitCode: 2 });
    expect(readdirSync(home)).toEqual(before);
    expect(readdirSync(folder)).toEqual([]);
  });
});
