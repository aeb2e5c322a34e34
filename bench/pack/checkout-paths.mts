// An esbuild plugin: modules of the checkout keep their places. `import.meta.url` and `import.meta.dirname` name the folder that LIMN_TREE says, laid out like the checkout.
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'esbuild';

/** What stands for the two in a module at `file`, a path below the root with '/'. The URL is made where it runs, because a path may need escapes. */
export function placed(source: string, file: string): string {
  const at = (name: string): string => `(process.env.LIMN_TREE + ${JSON.stringify(`/${name}`)})`;
  return source
    .replaceAll('import.meta.dirname', at(path.posix.dirname(file)))
    .replaceAll('import.meta.url', `process.getBuiltinModule('node:url').pathToFileURL${at(file)}.href`);
}

/**
 * What a module says it reads beside itself: `new URL('…', import.meta.url)`, itself for `new URL(import.meta.url)`, and
 * `path.join(import.meta.dirname, '…')`; paths below the root.
 */
export function neighbours(source: string, file: string): string[] {
  const forms = [
    /new URL\(\s*['"]([^'"]+)['"],\s*import\.meta\.url\s*\)/g,
    /path\.(?:join|resolve)\(\s*import\.meta\.dirname,\s*['"]([^'"]+)['"]\s*\)/g,
  ];
  const named = forms.flatMap((form) =>
    [...source.matchAll(form)].map(([, name]) => path.posix.join(path.posix.dirname(file), name!)),
  );
  return /new URL\(\s*import\.meta\.url\s*\)/.test(source) ? [...named, file] : named;
}

/** Adds to `carried` the files and folders that bundled modules read beside themselves. */
export function checkoutPaths(root: string, carried: Set<string>): Plugin {
  return {
    name: 'checkout-paths',
    setup(build) {
      build.onLoad({ filter: /\.(ts|mts|js|mjs)$/ }, ({ path: full }) => {
        const file = path.relative(root, full).replaceAll(path.sep, '/');
        if (file.startsWith('..') || file.includes('node_modules/')) return undefined;
        const source = readFileSync(full, 'utf8');
        if (!source.includes('import.meta.')) return undefined;
        for (const name of neighbours(source, file)) if (travels(root, name)) carried.add(name.replace(/\/$/, ''));
        return { contents: placed(source, file), loader: full.endsWith('ts') ? 'ts' : 'js' };
      });
    },
  };
}

/** A file, or a folder that is named as one; other folders are where things are looked for or written to. */
function travels(root: string, name: string): boolean {
  const state = statSync(path.join(root, name), { throwIfNoEntry: false });
  return state !== undefined && (state.isFile() || name.endsWith('/'));
}
