// Lists folders and files of the repository without build output.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const skipped = new Set(['node_modules', 'dist', '.turbo', 'coverage', '.git']);

/** Names of the folders directly in `root/folder`. */
export function foldersIn(root, folder) {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((e) =>
    e.isDirectory() && !skipped.has(e.name) ? [e.name] : [],
  );
}

/** Paths of all files below `folder` whose name matches, sorted; folders named in `skip` are not entered. */
export function filesBelow(folder, pattern = /./, skip = skipped) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return skip.has(entry.name) ? [] : filesBelow(path, pattern, skip);
      return pattern.test(entry.name) ? [path] : [];
    })
    .sort();
}

/** Every workspace folder that has a package.json: { folder, home, manifest }. */
export function workspaces(root) {
  const folders = ['shaders', 'examples', 'bench', ...foldersIn(root, 'packages').map((name) => `packages/${name}`)];
  return folders.flatMap((folder) => {
    const path = join(root, folder, 'package.json');
    return existsSync(path)
      ? [{ folder, home: join(root, folder), manifest: JSON.parse(readFileSync(path, 'utf8')) }]
      : [];
  });
}
