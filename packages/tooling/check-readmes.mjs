// Type-checks every ```ts block of the READMEs, each as a module of its own, under the repository's settings.
// A comment `<!-- given: … -->` right above a block declares, in TypeScript, what the text says is there already.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { filesBelow } from './files.mjs';

const repository = resolve(import.meta.dirname, '../..');
const root = resolve(process.argv[2] ?? repository);
const scratch = mkdtempSync(join(tmpdir(), 'limn-readmes-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

const readmes = filesBelow(root, /^README\.md$/);
const examples = readmes.flatMap((path) => {
  const text = readFileSync(path, 'utf8').split(/\r?\n/);
  return text.flatMap((line, at) => (/^```ts\b/.test(line) ? [{ path, module: moduleOf(text, at) }] : []));
});

symlinkSync(join(repository, 'node_modules'), join(scratch, 'node_modules'), 'junction');
const files = examples.map(({ module }, i) => {
  writeFileSync(join(scratch, `${i}.ts`), module);
  return `${i}.ts`;
});
writeFileSync(
  join(scratch, 'tsconfig.json'),
  JSON.stringify({ extends: join(repository, 'tsconfig.base.json'), compilerOptions: { noEmit: true }, files }),
);
const compiled = spawnSync(
  process.execPath,
  [join(repository, 'node_modules/typescript/bin/tsc'), '-p', '.', '--pretty', 'false'],
  { cwd: scratch, encoding: 'utf8' },
);
if (compiled.error) throw compiled.error;

process.stderr.write(
  `${compiled.stdout}${compiled.stderr}`.replace(
    /^(\d+)\.ts\((\d+),(\d+)\)/gm,
    (_, file, line, column) => `${relative(root, examples[file].path)}:${line}:${column}`,
  ),
);
console.log(`${examples.length} examples in ${readmes.length} READMEs${compiled.status ? ', with type errors' : ''}`);
process.exitCode = compiled.status ? 1 : 0;

/** The block that the fence in line `at` opens and what is given above it, at their own lines; all other lines are empty. */
function moduleOf(text, at) {
  const kept = new Set();
  const close = text.indexOf('```', at + 1);
  for (let line = at + 1; line < (close < 0 ? text.length : close); line++) kept.add(line);
  const above = text.slice(0, at);
  const last = above.findLastIndex((line) => line.trim());
  const open = above.findLastIndex((line) => line.startsWith('<!-- given:'));
  if (
    last >= 0 &&
    open >= 0 &&
    above[last].endsWith('-->') &&
    !above.slice(open, last).some((line) => line.endsWith('-->'))
  )
    for (let line = open; line <= last; line++) kept.add(line);
  const lines = text.map((line, i) => (kept.has(i) ? line : ''));
  const given = (line) => line.replace(/^<!-- given:/, '           ').replace(/-->$/, '');
  return `${lines.map((line, i) => (i < at ? given(line) : line)).join('\n')}\nexport {};\n`;
}
