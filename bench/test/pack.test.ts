// What goes into the pack, how large it may be, how a driver is found on the box, and its test runner on a small file.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { checkoutPaths, neighbours, placed } from '../pack/checkout-paths.mjs';
import { vi as packedVi } from '../pack/box/vi.mjs';
import { BENCHES, kernelTestFiles, LEFT_OUT } from '../pack/contents.mjs';
import { whyNoRooms } from '../pack/room.mjs';
import { libraryFolder, parseLdd } from '../pack/shared-libraries.mjs';
import { LIMIT_BYTES, overLimit, sizeTable, totalBytes } from '../pack/size.mjs';
import { verifyPack } from '../pack/verify.mjs';
import { makeRoom, writePack } from '../pack/write-pack.mjs';

const root = path.resolve(import.meta.dirname, '../..');
const scratch = mkdtempSync(path.join(tmpdir(), 'limn-pack-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe('contents', () => {
  it('names benches and tests that exist', () => {
    for (const { file } of BENCHES) expect(existsSync(path.join(root, file)), file).toBe(true);
    const tests = kernelTestFiles(root);
    expect(tests).toContain('packages/tensor/test/ops/matmul-kernels.test.ts');
    expect(tests).toContain('packages/attribution/test/kernels.test.ts');
    expect(tests).toContain('packages/gpu/test/step.test.ts');
    expect(new Set(tests).size).toBe(tests.length);
  });

  it('has all that the tests use of vi', () => {
    const used = kernelTestFiles(root).flatMap((file) =>
      [...readFileSync(path.join(root, file), 'utf8').matchAll(/\bvi\.(\w+)/g)].map(([, name]) => name!),
    );
    expect([...new Set(used)].filter((name) => !(name in packedVi))).toEqual([]);
  });

  it('leaves out what starts processes or loads modules by path, which stay in the checkout', () => {
    const bound = /\bimport\(\s*[^'"`)]|node:child_process|node:worker_threads/;
    const known = new Set(LEFT_OUT.map(({ file }) => file));
    const unknown = kernelTestFiles(root).filter(
      (file) => !known.has(file) && bound.test(readFileSync(path.join(root, file), 'utf8')),
    );
    // Name them in LEFT_OUT of bench/pack/contents.mts, with the reason.
    expect(unknown).toEqual([]);
  });

  it('leaves out only what exists, whole files and single tests', () => {
    for (const { file, test } of LEFT_OUT) {
      const source = readFileSync(path.join(root, file), 'utf8');
      if (test === undefined) expect(kernelTestFiles(root)).not.toContain(file);
      else expect(source, test).toContain(test);
    }
  });
});

describe('size', () => {
  const sizes = [
    { file: 'files/bin/node.gz', bytes: 35 * 2 ** 20 },
    { file: 'a', bytes: 1000 },
    { file: 'b', bytes: 48 },
  ];

  it('is added up, large files by name', () => {
    expect(totalBytes(sizes)).toBe(35 * 2 ** 20 + 1048);
    expect(sizeTable(sizes)).toEqual([
      '  35.0 MiB  files/bin/node.gz',
      '   0.0 MiB  2 smaller files',
      '  35.0 MiB  in all, of 60.0 MiB allowed',
    ]);
  });

  it('is refused above the limit and not at it', () => {
    expect(overLimit([{ file: 'a', bytes: LIMIT_BYTES }])).toBeUndefined();
    expect(overLimit([{ file: 'a', bytes: LIMIT_BYTES + 2 ** 20 }])).toBe('the pack is 1.0 MiB over its 60.0 MiB');
  });
});

describe('shared libraries', () => {
  it('are read from what ldd prints', () => {
    const printed = `\tlinux-vdso.so.1 (0x00007fff)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)
\tlibmissing.so.1 => not found
\t/lib64/ld-linux-x86-64.so.2 (0x00007f02)\n`;
    expect([...parseLdd(printed)]).toEqual([
      ['libm.so.6', '/lib/x86_64-linux-gnu/libm.so.6'],
      ['ld-linux-x86-64.so.2', '/lib64/ld-linux-x86-64.so.2'],
    ]);
    expect(parseLdd('\tnot a dynamic executable\n').size).toBe(0);
  });

  it("keep glibc's parts together, apart from C++'s and X11's", () => {
    expect(['libc.so.6', 'librt.so.1', 'libstdc++.so.6', 'libgcc_s.so.1', 'libX11.so.6'].map(libraryFolder)).toEqual([
      'lib/glibc',
      'lib/glibc',
      'lib/gcc',
      'lib/gcc',
      'lib/x11',
    ]);
  });
});

describe('modules keep their places', () => {
  it('import.meta names the unpacked folder', () => {
    const source = 'export const at = [import.meta.dirname, import.meta.url];';
    const before = process.env['LIMN_TREE'];
    process.env['LIMN_TREE'] = '/a folder';
    try {
      const text = placed(source, 'bench/x.mts').replace('export const at =', 'return');
      // eslint-disable-next-line no-new-func
      expect(new Function(text)()).toEqual(['/a folder/bench', 'file:///a%20folder/bench/x.mts']);
    } finally {
      if (before === undefined) delete process.env['LIMN_TREE'];
      else process.env['LIMN_TREE'] = before;
    }
  });

  it('what a module reads beside itself is known', () => {
    expect(neighbours("new URL('../golden/a.json', import.meta.url)", 'p/test/ops/x.ts')).toEqual([
      'p/test/golden/a.json',
    ]);
    expect(neighbours('new URL(import.meta.url)', 'p/x.ts')).toEqual(['p/x.ts']);
    expect(neighbours("path.join(import.meta.dirname, '../package.json')", 'p/harness/x.mts')).toEqual([
      'p/package.json',
    ]);
    expect(neighbours("new URL('https://example.org')", 'p/x.ts')).toEqual([]);
  });
});

describe('the runner without vitest’s server', () => {
  it('runs, skips, leaves out and fails as vitest does', async () => {
    const carried = new Set<string>();
    const file = 'bench/test/fixtures/small.vitest.ts';
    const entry = `
      import { runTestFiles } from './bench/pack/box/run-tests.mts';
      const run = await runTestFiles([['small', () => import('./${file}')], ['broken', () => { throw new Error('does not load'); }]], {
        leftOut: [{ file: 'small', test: 'is left out', reason: 'as the list says' }],
        patience: 5000,
        onFile: (file, { passed }) => console.log(file + ': ' + passed + ' passed'),
      });
      console.log(JSON.stringify(run));
      process.exit();`;
    await build({
      stdin: { contents: entry, resolveDir: root, loader: 'ts' },
      outfile: path.join(scratch, 'small.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      alias: { vitest: path.join(root, 'bench/pack/box/vitest.mts') },
      plugins: [checkoutPaths(root, carried)],
      logLevel: 'error',
    });
    expect([...carried]).toEqual(['bench/test/pack.test.ts']);
    const lines = execFileSync(process.execPath, [path.join(scratch, 'small.mjs')], {
      encoding: 'utf8',
      env: { ...process.env, LIMN_TREE: root },
    })
      .trim()
      .split('\n');
    expect(lines.slice(0, 3)).toEqual([
      `calls: beforeAll${' beforeEach'.repeat(10)}`,
      'small: 6 passed',
      'broken: 0 passed',
    ]);
    const run = JSON.parse(lines[3]!) as { failed: { name: string; text: string }[] };
    expect(run).toMatchObject({
      passed: 6,
      skipped: [
        { name: 'small > is skipped', text: 'for this reason' },
        { name: 'small > is left out', text: 'as the list says' },
      ],
    });
    expect(run.failed.map(({ name }) => name)).toEqual([
      'small > matchers > that do not hold',
      'small > matchers > that does not hold later',
      'small > takes too long',
      'broken',
    ]);
    expect(run.failed.map(({ text }) => text)).toEqual([
      expect.stringContaining('to deeply equal'),
      expect.stringContaining('expected 1 to be 2'),
      expect.stringContaining('timed out in 20ms'),
      expect.stringContaining('does not load'),
    ]);
  });
});

describe('the pack', () => {
  it('takes the place of an earlier one and of nothing else', () => {
    const folder = path.join(scratch, 'place');
    makeRoom(folder);
    expect(readdirSync(folder)).toEqual([]);
    mkdirSync(path.join(folder, 'results'));
    expect(() => makeRoom(folder)).toThrow('holds something else than a pack');
    mkdirSync(path.join(folder, 'files'));
    writeFileSync(path.join(folder, 'files/id.txt'), 'one');
    makeRoom(folder);
    expect(readdirSync(folder)).toEqual(['results']);
  });

  it('is within its limit and runs in empty root folders', async (context) => {
    context.skip(process.env['LIMN_LONG'] !== '1', 'it compresses Node and runs in five rooms: LIMN_LONG=1');
    const reason =
      process.platform === 'linux' && process.arch === 'x64' ? whyNoRooms() : 'a pack is made on Linux x64';
    context.skip(reason !== undefined, reason);
    const { folder, sizes } = await writePack(root, path.join(scratch, 'pack'));
    expect(overLimit(sizes)).toBeUndefined();
    expect(verifyPack(folder)).toBe(true);
  }, 3_600_000);
});
