// The boundary check accepts the house's arrows and refuses any other, on small repositories made for the test.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, expect, test } from 'vitest';

const script = join(import.meta.dirname, '../check-boundaries.mjs');
let root = '';

function check(files: Record<string, string>) {
  root = mkdtempSync(join(tmpdir(), 'limn-boundaries-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const { status, stderr } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
  return { status, stderr };
}

const manifest = (name: string, dependencies: string[] = []) =>
  JSON.stringify({
    name: `@limn/${name}`,
    exports: { '.': { 'limn-source': './src/index.ts' }, './node': { 'limn-source': './src/node.ts' } },
    dependencies: Object.fromEntries(dependencies.map((d) => [d, '0.1.0'])),
  });

const sound = {
  'packages/gpu/package.json': manifest('gpu'),
  'packages/gpu/src/index.ts': `export * from './device.js';\n`,
  'packages/gpu/src/device.ts': `/** Use: import { x } from '@limn/limn' */\nexport const device = 1;\n`,
  'packages/gpu/src/node.ts': `import { readFileSync } from 'node:fs';\nexport const read = readFileSync;\n`,
  'packages/gpu/test/a.test.ts': `import { near } from '@limn/testing';\nimport { device } from '../src/index.js';\n`,
  'packages/tensor/package.json': manifest('tensor', ['@limn/gpu']),
  'packages/tensor/src/index.ts': `import { device } from '@limn/gpu';\nexport const tensor = device;\n`,
  'packages/tensor/src/node.ts': `export {};\n`,
};

afterEach(() => rmSync(root, { recursive: true, force: true }));

test('the drawn arrows pass, and comments are not imports', () => {
  expect(check(sound)).toEqual({ status: 0, stderr: '' });
});

test.each([
  [
    'an arrow upwards',
    'packages/gpu/src/device.ts',
    `import type { T } from '@limn/tensor';\n`,
    'may not import @limn/tensor',
  ],
  [
    'testing in shipped source',
    'packages/tensor/src/index.ts',
    `import '@limn/testing';\n`,
    'may not import @limn/testing',
  ],
  [
    'a relative path into a neighbour',
    'packages/tensor/src/index.ts',
    `export * from '../../gpu/src/device.js';\n`,
    'reaches into another package',
  ],
  [
    'a dynamic import of testing',
    'packages/gpu/src/device.ts',
    `export const f = () => import('@limn/testing');\n`,
    'may not import @limn/testing',
  ],
  [
    'an undeclared dependency',
    'packages/tensor/src/index.ts',
    `import { scaleLog } from 'd3-scale';\n`,
    `'d3-scale' is not among the dependencies`,
  ],
  [
    'a Node module below a universal entry',
    'packages/gpu/src/device.ts',
    `import { join } from 'node:path';\n`,
    'must run in a browser',
  ],
  [
    'a node entry below a universal entry',
    'packages/tensor/src/index.ts',
    `import { open } from '@limn/gpu/node';\n`,
    'must run in a browser',
  ],
  [
    'a forbidden dependency',
    'packages/gpu/package.json',
    manifest('gpu', ['@limn/tensor']),
    'may not depend on @limn/tensor',
  ],
  ['an unknown package', 'packages/extra/package.json', manifest('extra'), 'has no arrows'],
])('%s is refused', (_, path, text, message) => {
  const { status, stderr } = check({ ...sound, [path]: text });
  expect(stderr).toContain(message);
  expect(status).toBe(1);
});
