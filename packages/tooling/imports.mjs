// Reads which modules a TypeScript or JavaScript file imports, and walks relative imports from an entry file.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const comments = /\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm;
const statements =
  /(?:^|[;}\n])\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|(?:^|[;}\n])\s*import\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]/g;

/** Specifiers of every static, side-effect, dynamic and type import of `file`, in order of appearance. */
export function importsOf(file) {
  const text = readFileSync(file, 'utf8').replace(comments, '');
  return [...text.matchAll(statements)].map((match) => match[1] ?? match[2] ?? match[3]);
}

/** The file that a relative specifier names: `./x.js` is written for `./x.ts`. */
export function resolveRelative(from, specifier) {
  const path = resolve(dirname(from), specifier);
  return [path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.tsx'), path, `${path}.ts`].find((p) => existsSync(p));
}

/** Every [file, specifier] reachable from `entry` through relative imports; other packages are not entered. */
export function reachable(entry, seen = new Set()) {
  if (seen.has(entry)) return [];
  seen.add(entry);
  return importsOf(entry).flatMap((specifier) => {
    const next = specifier.startsWith('.') ? resolveRelative(entry, specifier) : undefined;
    return [[entry, specifier], ...(next && /\.[cm]?[jt]sx?$/.test(next) ? reachable(next, seen) : [])];
  });
}

/** True for what only Node has: built-in modules, Dawn, and other packages' node entries. */
export const isNodeOnly = (specifier) =>
  /^(node:|fs$|path$|os$|url$|crypto$|worker_threads$|child_process$|webgpu$)/.test(specifier) ||
  /^@limn\/([^/]+\/node|software-vulkan)$/.test(specifier);
