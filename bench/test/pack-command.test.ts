// The pack's command, with a small script in Node's place: what it unpacks, with which libraries it starts, and where results go.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it, type TestContext } from 'vitest';

const scratch = mkdtempSync(path.join(tmpdir(), 'limn-command-test-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const command = readFileSync(path.join(import.meta.dirname, '../pack/box/run.sh'));

/** Says what it was started with; the trial of Dawn works where `works` holds; `tests` ends with 3. */
const program = (works: string): string => `#!/bin/sh
if [ "$1" = -e ]; then
  ${works}
  exit
fi
shift
echo "$* | libraries $LIMN_LIBRARIES | results $LIMN_RESULTS"
case $1 in tests) exit 3 ;; esac
`;

/** A pack with that program, in a folder whose name has a blank. */
function packWith(works: string, id = 'one'): string {
  const folder = path.join(mkdtempSync(path.join(scratch, 'case-')), 'a pack');
  const tree = {
    'bin/node': program(works),
    'lib/glibc/ld-linux-x86-64.so.2': '#!/bin/sh\nshift 2\nBY_PACK=1 exec "$@"\n',
    'code/main.mjs': '',
  };
  for (const [name, text] of Object.entries(tree)) {
    const file = path.join(folder, 'files', `${name}.gz`);
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, gzipSync(text));
  }
  writeFileSync(path.join(folder, 'files/list.txt'), 'x bin/node\nx lib/glibc/ld-linux-x86-64.so.2\n- code/main.mjs\n');
  writeFileSync(path.join(folder, 'files/id.txt'), `${id}\n`);
  writeFileSync(path.join(folder, 'run'), command);
  chmodSync(path.join(folder, 'run'), 0o755);
  return folder;
}

function run(folder: string, args: readonly string[] = [], env: Record<string, string> = {}) {
  const { status, stdout, stderr } = spawnSync(path.join(folder, 'run'), args, {
    encoding: 'utf8',
    cwd: path.dirname(folder),
    env: { PATH: process.env['PATH'] ?? '', HOME: path.dirname(folder), TMPDIR: path.dirname(folder), ...env },
  });
  return { status, stdout, stderr };
}

const onLinux = (context: TestContext): void => context.skip(process.platform !== 'linux', 'the pack is for Linux');

describe('run', () => {
  it('unpacks once, hands on its arguments and ends as the program does', (context) => {
    onLinux(context);
    const folder = packWith(':');
    const first = run(folder, ['bench', 'matmul', 'two words']);
    expect(first).toMatchObject({
      status: 0,
      stdout: `bench matmul two words | libraries machine | results ${folder}/results\n`,
      stderr: `unpacking into ${folder}/unpacked/one\n`,
    });
    expect(readdirSync(path.join(folder, 'unpacked'))).toEqual(['one']);
    expect(run(folder, ['tests'])).toMatchObject({ status: 3, stderr: '' });
  });

  it('without arguments is doctor, tests and bench, and fails with the tests', (context) => {
    onLinux(context);
    const { status, stdout } = run(packWith(':'));
    expect(stdout.split('\n').map((line) => line.split(' ')[0])).toEqual(['doctor', 'tests', 'bench', '']);
    expect(status).toBe(3);
  });

  it('takes C++’s libraries from the pack, or all of them, where the machine’s are not enough', (context) => {
    onLinux(context);
    const newer = packWith('case $LD_LIBRARY_PATH in */lib/gcc*) ;; *) false ;; esac');
    expect(run(newer, ['doctor']).stdout).toContain('libraries c++');
    expect(run(packWith('[ "$BY_PACK" = 1 ]'), ['doctor']).stdout).toContain('libraries pack');
  });

  it('a damaged file, a missing one and a place where nothing runs are said', (context) => {
    onLinux(context);
    const damaged = packWith(':');
    writeFileSync(path.join(damaged, 'files/bin/node.gz'), 'no gzip');
    const only = { LIMN_UNPACK: path.join(damaged, 'elsewhere') };
    expect(run(damaged, ['doctor'], only)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('bin/node could not be unpacked'),
    });
    expect(readdirSync(only.LIMN_UNPACK)).toEqual([]);
    const missing = packWith(':');
    rmSync(path.join(missing, 'files/id.txt'));
    expect(run(missing, ['doctor'])).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('the folder is not whole'),
    });
    const useless = packWith('false');
    expect(run(useless, ['doctor'], only)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('no folder was found that Node and Dawn can be unpacked into and run from'),
    });
    expect(readdirSync(only.LIMN_UNPACK)).toEqual([]);
  });

  it('another pack in the same folder is unpacked beside the first', (context) => {
    onLinux(context);
    const folder = packWith(':');
    run(folder, ['doctor']);
    writeFileSync(path.join(folder, 'files/id.txt'), 'two\n');
    expect(run(folder, ['doctor']).stderr).toContain('unpacked/two');
    expect(readdirSync(path.join(folder, 'unpacked')).sort()).toEqual(['one', 'two']);
  });
});
