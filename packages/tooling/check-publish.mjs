// Runs publint and are-the-types-wrong on the files that each public package would publish, without packing archives.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { Package, checkPackage } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { filesBelow, workspaces } from './files.mjs';

/** Large data that no resolution depends on is listed with its first bytes only. */
const largest = 2 ** 20;
/** The packages are ES modules only, for runtimes that read `exports`: older ways of resolving are not offered. */
const offered = new Set(['node16-esm', 'bundler']);

const root = resolve(import.meta.dirname, '../..');
const faults = [];
let count = 0;

for (const { folder, home, manifest } of workspaces(root)) {
  if (manifest.private) continue;
  count++;
  const paths = published(home, manifest);
  const content = (path) => readFileSync(path).subarray(0, largest);
  const files = paths.map((path) => ({ name: `package/${relative(home, path)}`, data: content(path) }));
  const { messages } = await publint({ pkgDir: 'package', pack: { files }, level: 'warning', strict: true });
  for (const message of messages)
    faults.push(`${folder}: publint: ${formatMessage(message, manifest, { color: false })}`);

  if (!manifest.exports) continue;
  const at = (path) => `/node_modules/${manifest.name}/${relative(home, path)}`;
  const typed = new Package(Object.fromEntries(paths.map((p) => [at(p), content(p)])), manifest.name, manifest.version);
  const result = await checkPackage(typed, { excludeEntrypoints: [/\.wgsl$/, /\.json$/] });
  if (!result.types) faults.push(`${folder}: are-the-types-wrong: the package has no types`);
  for (const problem of result.types ? result.problems : [])
    if (!problem.resolutionKind || offered.has(problem.resolutionKind))
      faults.push(`${folder}: are-the-types-wrong: ${problem.kind} ${problem.entrypoint ?? problem.fileName ?? ''}`);
}

/** Paths that npm takes from the folder: manifest, read-me and licence, and whatever `files` names. */
function published(home, manifest) {
  const always = ['package.json', 'README.md', 'LICENSE']
    .map((name) => join(home, name))
    .filter((path) => existsSync(path));
  const listed = (manifest.files ?? []).map((name) => join(home, name)).filter((path) => existsSync(path));
  const none = new Set(['node_modules']);
  return [
    ...new Set([...always, ...listed.flatMap((p) => (statSync(p).isDirectory() ? filesBelow(p, /./, none) : [p]))]),
  ];
}

for (const fault of faults) console.error(fault);
console.log(`${count} public packages, ${faults.length} faults found by publint and are-the-types-wrong`);
process.exitCode = faults.length ? 1 : 0;
