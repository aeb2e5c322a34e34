// The code of the pack: one entry, and a chunk for every bench and every test file, loaded when it is asked for.
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { BENCHES, kernelTestFiles, PEERS } from './contents.mjs';
import { checkoutPaths } from './checkout-paths.mjs';

/** What bundling gives. */
export interface Bundled {
  /** Path below the tree, and text. */
  readonly code: ReadonlyMap<string, Uint8Array>;
  /** Files and folders below the root that the code reads. */
  readonly carried: readonly string[];
}

/** Bundles everything that runs on the box. */
export async function bundleCode(root: string): Promise<Bundled> {
  const carried = new Set<string>();
  const { outputFiles } = await build({
    entryPoints: [path.join(root, 'bench/pack/box/main.mts')],
    outdir: path.join(root, 'code'),
    outExtension: { '.js': '.mjs' },
    write: false,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    conditions: ['limn-source', 'module', 'import'],
    external: ['webgpu', ...PEERS],
    alias: { vitest: path.join(root, 'bench/pack/box/vitest.mts') },
    plugins: [listed(root), withoutEsbuild, checkoutPaths(root, carried)],
    // What is CommonJS among the dependencies may ask for Node's own modules.
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module';\nconst require = __createRequire(import.meta.url);",
    },
    logLevel: 'error',
    legalComments: 'none',
  });
  const code = new Map(
    outputFiles.map((file) => [path.relative(root, file.path).replaceAll(path.sep, '/'), file.contents]),
  );
  return { code, carried: [...carried].sort() };
}

/** `pack:benches` and `pack:tests`: [name, a function that loads it] for each. */
function listed(root: string): Plugin {
  const loaders = (entries: readonly (readonly [string, string])[]): string => {
    const lines = entries.map(
      ([name, file]) => `[${JSON.stringify(name)}, () => import(${JSON.stringify(`./${file}`)})]`,
    );
    return `export default [\n${lines.join(',\n')}\n];\n`;
  };
  return {
    name: 'listed',
    setup(build) {
      build.onResolve({ filter: /^pack:/ }, ({ path }) => ({ path, namespace: 'pack' }));
      build.onLoad({ filter: /./, namespace: 'pack' }, ({ path: name }) => ({
        contents:
          name === 'pack:benches'
            ? loaders(BENCHES.map((bench) => [bench.name, bench.file]))
            : loaders(kernelTestFiles(root).map((file) => [file, file])),
        resolveDir: root,
      }));
    },
  };
}

/** A test that is left out imports the bundler, which does not travel. */
const withoutEsbuild: Plugin = {
  name: 'without-esbuild',
  setup(build) {
    build.onResolve({ filter: /^esbuild$/ }, () => ({ path: 'esbuild', namespace: 'absent' }));
    build.onLoad({ filter: /./, namespace: 'absent' }, () => ({
      contents: "export const build = () => { throw new Error('esbuild does not travel with the pack'); };",
    }));
  },
};
