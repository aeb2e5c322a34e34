// Bundles the benches' page into page/dist, with the stored results of other adapters; nothing is loaded from elsewhere.
// usage: build.mjs [OUT]
import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { build } from 'esbuild';

const here = import.meta.dirname;
const out = path.resolve(process.argv[2] ?? path.join(here, 'dist'));
const results = path.join(here, '../results');

await rm(out, { recursive: true, force: true });
await mkdir(path.join(out, 'results'), { recursive: true });
await build({
  entryPoints: [path.join(here, 'main.mts')],
  outdir: path.join(out, 'js'),
  bundle: true,
  minify: true,
  sourcemap: true,
  format: 'esm',
  platform: 'browser',
  target: 'es2022',
  conditions: ['limn-source'],
  logLevel: 'warning',
});
await build({ entryPoints: [path.join(here, 'style.css')], outfile: path.join(out, 'style.css'), bundle: true });
for (const file of ['index.html', 'icon.svg']) await cp(path.join(here, file), path.join(out, file));
const adapters = (await readdir(results)).filter((name) => existsSync(path.join(results, name, 'bench.json'))).sort();
for (const name of adapters)
  await cp(path.join(results, name, 'bench.json'), path.join(out, 'results', `${name}.json`));
await writeFile(path.join(out, 'results/index.json'), JSON.stringify(adapters));
console.log(`benches' page: ${path.relative(process.cwd(), out)}`);
