// What reaches stdout and stderr: results and nothing else on stdout, plain lines without a terminal, no control characters.
import { describe, expect, it } from 'vitest';
import { Console, type ConsoleOptions } from '../src/console.js';
import { commandLine } from '../src/command-line.js';
import { redact } from '../src/redact.js';
import { showProgress } from '../src/show-progress.js';
import { visibleText } from '../src/visible-text.js';

function recorder(options: Partial<ConsoleOptions> = {}) {
  const out: string[] = [];
  const err: string[] = [];
  let time = 0;
  const console = new Console({
    stdout: { write: (text) => out.push(text) },
    stderr: { write: (text) => err.push(text) },
    json: false,
    quiet: false,
    now: () => time,
    ...options,
  });
  return { console, out, err, wait: (ms: number) => (time += ms) };
}

describe('Console', () => {
  it('with --json prints results only, as JSON lines', () => {
    const { console, out, err } = recorder({ json: true });
    console.say('for people');
    console.result({ ok: true });
    console.note('beside');
    expect(out).toEqual(['{"ok":true}\n']);
    expect(err).toEqual(['beside\n']);
  });

  it('with --quiet prints errors only', () => {
    const { console, out, err } = recorder({ quiet: true });
    console.say('for people');
    console.result({ ok: true });
    console.note('beside');
    console.progress({ phase: 'scores', done: 1, total: 1 });
    console.warn('broken');
    expect([out, err]).toEqual([[], ['broken\n']]);
  });

  it('without a terminal says when a phase begins, every five seconds how far it is and how long it will take, and when it ends', () => {
    const { console, err, wait } = recorder();
    for (let done = 0; done <= 10; done++) {
      console.progress({ phase: 'scores', done, total: 10, unit: 'pairs' });
      wait(1500);
    }
    expect(err).toEqual([
      'scores …\n',
      'scores: 4/10 pairs (6.0 s, 9 s left)\n',
      'scores: 8/10 pairs (12.0 s, 3 s left)\n',
      'scores: 10/10 pairs (15.0 s)\n',
    ]);
  });

  it('passes over phases that are done at once', () => {
    const { console, err } = recorder();
    for (let done = 1; done <= 3; done++) console.progress({ phase: 'weights', done, total: 3 });
    expect(err).toEqual([]);
  });

  it('on a terminal draws a bar', () => {
    const err: string[] = [];
    const stderr = {
      isTTY: true,
      write: (text: string) => err.push(text),
      cork: () => undefined,
      uncork: () => undefined,
      cursorTo: () => undefined,
      moveCursor: () => undefined,
      clearLine: () => undefined,
    };
    const { console } = recorder({ stderr });
    console.progress({ phase: 'scores', done: 0, total: 2, unit: 'pairs' });
    console.progress({ phase: 'scores', done: 2, total: 2, unit: 'pairs' });
    console.note('done');
    expect(err.join('')).toContain('scores');
    expect(err.join('')).toContain('2/2 pairs');
    expect(err.at(-1)).toBe('done\n');
  });
});

describe('text on a terminal', () => {
  it.each([
    ['\u001b[31mred', '␛[31mred'],
    ['a\nb\tc\u0000', 'a␊b␉c␀'],
    ['\u007f\u009b', '␡\\u{9b}'],
    ['\u202egnp.exe\u200b', '\\u{202e}gnp.exe\\u{200b}'],
    ['lone \ud800 surrogate', 'lone \ufffd surrogate'],
    ['naïve 日本 👍🏽 = |', 'naïve 日本 👍🏽 = |'],
  ])('%j becomes %j', (text, shown) => expect(visibleText(text)).toBe(shown));

  it('hides secrets, in messages and in the recorded command line', () => {
    const env = {
      HF_TOKEN: 'hf_abcdefghijklmnop',
      MY_API_KEY: 'verysecretvalue',
      HOME: '/home/somebody',
      SHORT_TOKEN: 'abc',
    };
    expect(redact('token hf_abcdefghijklmnop, hf_ZYXWVUTSRQ, key verysecretvalue, abc, /home/somebody', env)).toBe(
      'token [hidden], [hidden], key [hidden], abc, /home/somebody',
    );
    expect(commandLine(['run', '--prompt', "it's verysecretvalue", '--seed=1'], env)).toBe(
      `limn run --prompt 'it'\\''s [hidden]' --seed=1`,
    );
  });
});

describe('showProgress', () => {
  it('tells the beginning of a call on the stream that it is given, and nothing of a short one’s end', () => {
    const lines: string[] = [];
    const show = showProgress('patching', { write: (text) => lines.push(text) });
    show({ unit: 'patched rows', done: 0, total: 8 });
    show({ unit: 'patched rows', done: 8, total: 8 });
    expect(lines).toEqual(['patching …\n']);
  });
});
