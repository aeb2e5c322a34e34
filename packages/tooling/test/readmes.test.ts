// The README check compiles each example by itself and names the line of the README, on files made for the test.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const script = join(import.meta.dirname, '../check-readmes.mjs');
let root = '';

function check(files: Record<string, string>) {
  root = mkdtempSync(join(tmpdir(), 'limn-readme-test-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
  return { status, stdout: stdout.trim(), stderr };
}

afterEach(() => rmSync(root, { recursive: true, force: true }));

test('blocks are modules of their own, what is given counts for one block only, other languages are left alone', () => {
  const text = [
    '# a',
    '<!-- given:',
    'declare const width: number;',
    '-->',
    '```ts',
    "import { join } from 'node:path';",
    'const name: string = join(String(width));',
    'await Promise.resolve(name);',
    '```',
    '',
    '```ts',
    'const name = 3;',
    '```',
    '```sh',
    'width = width',
    '```',
  ].join('\n');
  expect(
    check({ 'README.md': text, 'packages/a/README.md': '# none\n', 'packages/a/OTHER.md': '```ts\n)\n```\n' }),
  ).toEqual({ status: 0, stdout: '2 examples in 2 READMEs', stderr: '' });
});

test('an error is named by README, line and column, strictness included', () => {
  const text =
    '<!-- given: declare const width: number; -->\n\n```ts\nwidth;\n```\nand\n```ts\nwidth;\n[1][0].toFixed();\n```\n';
  const { status, stderr } = check({ 'packages/a/README.md': text });
  const places = stderr.split('\n').map((line) => line.slice(0, line.indexOf(' error')));
  expect(places.filter(Boolean)).toEqual(['packages/a/README.md:8:1:', 'packages/a/README.md:9:1:']);
  expect(status).toBe(1);
});
