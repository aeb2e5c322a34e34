// Bundles the two pages and the worker into browser/dist, with pocket's files; nothing is loaded from elsewhere.
// usage: build.mjs [OUT] [MODEL FOLDER]
import { cp, mkdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));
const out = path.resolve(process.argv[2] ?? path.join(here, 'dist'));

await rm(out, { recursive: true, force: true });
await mkdir(path.join(out, 'model'), { recursive: true });
await build({
  entryPoints: ['main.ts', 'worker-page.ts', 'worker.ts'].map((name) => path.join(here, name)),
  // pocket's modelFolder() is ../model/ of the script that asks.
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
for (const file of ['index.html', 'worker.html', 'icon.svg']) await cp(path.join(here, file), path.join(out, file));
const model = path.resolve(process.argv[3] ?? path.join(here, '../../packages/pocket/model'));
for (const file of ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']) {
  await cp(path.join(model, file), path.join(out, 'model', file));
}
console.log(`browser example: ${path.relative(process.cwd(), out)}`);
