// Type-checks every package from source, two compilers at a time.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { workspaces } from './files.mjs';

const root = resolve(import.meta.dirname, '../..');
const waiting = workspaces(root)
  .map(({ folder }) => folder)
  .filter((folder) => existsSync(join(root, folder, 'tsconfig.json')));
const total = waiting.length;
let failed = 0;

async function worker() {
  for (let folder = waiting.shift(); folder; folder = waiting.shift()) {
    const { code, output } = await compile(folder);
    if (code === 0) continue;
    failed++;
    process.stderr.write(output.replace(/^(?=\S+\(\d+,\d+\))/gm, `${folder}/`).replace(/^error/gm, `${folder}: error`));
  }
}

function compile(folder) {
  return new Promise((done) => {
    const child = spawn(join(root, 'node_modules/.bin/tsc'), ['-p', 'tsconfig.json'], { cwd: join(root, folder) });
    let output = '';
    child.stdout.on('data', (data) => (output += data));
    child.stderr.on('data', (data) => (output += data));
    child.on('close', (code) => done({ code, output }));
  });
}

await Promise.all([worker(), worker()]);
console.log(`${total} packages, ${failed} with type errors`);
process.exitCode = failed ? 1 : 0;
