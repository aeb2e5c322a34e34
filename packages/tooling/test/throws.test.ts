// The check of @throws follows what a public function calls and names the codes that its docstring keeps quiet about, on a package made for the test.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';

const script = join(import.meta.dirname, '../../../docs/check-throws.mjs');
const fail = (code: string): string => `throw new LimnError('${code}', 'no')`;

/** Functions whose docstrings say too little, and those that are in order. */
const silent = `
export function plain() { ${fail('a/plain')}; }
/** @throws LimnError \`a/other\` */
export function another() { ${fail('a/another')}; }
export const made = make({ forward() { ${fail('a/made')}; } });
export class Box { /** Does. */ open() { this.look(); } private look() { ${fail('a/box')}; } }
const bad = () => new LimnError('a/maker', 'no');
export function maker() { throw bad(); }
`;
const sound = `
/** @throws LimnError \`b/code\` */
export function code() { ${fail('b/code')}; }
/** @throws LimnError \`b/…\` */
export function family() { ${fail('b/family')}; }
/** @throws LimnError as \`code\` */
export function link() { ${fail('b/link')}; }
export function caught() { try { hidden(); } catch { return 1; } }
function hidden() { ${fail('b/caught')}; }
export function given(): LimnError { return new LimnError('b/given', 'no'); }
`;
const files = {
  'docs/typedoc.json': JSON.stringify({
    entryPoints: ['../packages/a'],
    packageOptions: { entryPoints: ['src/index.ts'] },
  }),
  'packages/a/src/index.ts': `export * from './silent.js';\nexport * from './sound.js';\nexport { far } from './far.js';\n`,
  'packages/a/src/silent.ts': silent,
  'packages/a/src/sound.ts': sound,
  // A function that records on a step has a docstring of its own.
  'packages/a/src/far.ts': `import { expectTwo, record } from './helper.js';\nexport function far(step: Step) { expectTwo(1); record(step); }`,
  'packages/a/src/helper.ts': `export function expectTwo(n: number) { if (n !== 2) ${fail('a/two')}; }\nexport function record(step: Step) { ${fail('a/step')}; }`,
};

test('what a docstring keeps quiet about is named by file, function and code; the rest is in order', () => {
  const root = mkdtempSync(join(tmpdir(), 'limn-throws-test-'));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text);
    }
    const { status, stderr, stdout } = spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
    expect(stderr.trim().split('\n')).toEqual([
      'packages/a/src/far.ts: far throws a/two',
      'packages/a/src/silent.ts: Box.open throws a/box',
      'packages/a/src/silent.ts: another throws a/another',
      'packages/a/src/silent.ts: made throws a/made',
      'packages/a/src/silent.ts: maker throws a/maker',
      'packages/a/src/silent.ts: plain throws a/plain',
    ]);
    expect([status, stdout]).toEqual([1, '9 public functions that throw, 6 with codes that @throws does not name\n']);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
});
